"""The wordings of the tasks: data in `training/texts/`, each kind split into two sides."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

FOLDER = Path(__file__).with_name("texts")


@dataclass(frozen=True, slots=True)
class Wordings:
    """Ways to say something: those to train on, and those that only measuring may use."""

    train: tuple[str, ...]
    held_out: tuple[str, ...]

    def pick(self, rng: Random, held_out: bool) -> str:
        """Draw a wording from one side of the split."""
        return rng.choice(self.held_out if held_out else self.train)


@cache
def wordings(file: str, *path: str) -> Wordings:
    """Return the wordings at a path of tables in a file."""
    table = _table(file, path)
    return Wordings(tuple(table["train"]), tuple(table["held_out"]))


@cache
def texts(file: str, *path: str) -> tuple[str, ...]:
    """Return the list of texts at a path."""
    return tuple(_table(file, path[:-1])[path[-1]])


@cache
def keys(file: str, *path: str) -> tuple[str, ...]:
    """Return the names of the tables below a path."""
    return tuple(_table(file, path))


@cache
def text(file: str, *path: str) -> str:
    """Return the one text at a path."""
    found = _table(file, path[:-1])[path[-1]]
    if not isinstance(found, str):
        raise TypeError(f"{file}: {'.'.join(path)} is not a text")
    return found


@cache
def every_wording() -> Mapping[str, Wordings]:
    """Return all wordings by the place they stand at."""
    return {
        name: found
        for path in sorted(FOLDER.glob("*.toml"))
        for name, found in _walk(path.stem, _read(path.stem))
    }


def _walk(name: str, table: Mapping[str, Any]) -> list[tuple[str, Wordings]]:
    if "train" in table:
        return [(name, Wordings(tuple(table["train"]), tuple(table["held_out"])))]
    below = [(f"{name}.{key}", value) for key, value in table.items() if isinstance(value, dict)]
    return [found for place, value in below for found in _walk(place, value)]


def _table(file: str, path: tuple[str, ...]) -> Mapping[str, Any]:
    table = _read(file)
    for key in path:
        table = table[key]
    return table


@cache
def _read(file: str) -> Mapping[str, Any]:
    return tomllib.loads((FOLDER / f"{file}.toml").read_text(encoding="utf-8"))
