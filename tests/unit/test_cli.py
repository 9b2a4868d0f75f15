"""The command line, on the scripted engine."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from nano2_app.cli.main import app
from nano2_app.config import PROJECT_DIR

SCRIPTED = ["--engine", "scripted"]


def ask(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["ask", *arguments, *SCRIPTED], input=stdin)


def test_the_answer_goes_to_stdout_and_the_reasoning_to_stderr() -> None:
    result = ask("What is 2 + 2?")
    assert result.exit_code == 0
    assert result.stdout == "This is a scripted answer to “What is 2 + 2?”. No model is running.\n"
    assert "The question is: What is 2 + 2?" in result.stderr
    assert "ended by: model" in result.stderr


def test_json_is_one_object_with_everything() -> None:
    result = ask("Hi", "--json", "--thinking-budget", "5", "--seed", "7")
    assert result.stderr == ""
    data = json.loads(result.stdout)
    assert list(data) == [
        "reasoning", "answer", "thinking_end", "finish_reason", "usage", "timings", "model", "seed"
    ]  # fmt: skip
    assert data["thinking_end"] == "budget"
    assert data["finish_reason"] == "stop"
    assert (data["model"], data["seed"]) == ("scripted", 7)
    assert 5 <= data["usage"]["reasoning_tokens"] <= 21
    assert set(data["timings"]) == {"time_to_first_token_s", "total_s", "tokens_per_second"}


@pytest.mark.parametrize("option", [["--skip-reasoning"], ["--thinking-budget", "0"]])
def test_skipping_gives_no_reasoning(option: list[str]) -> None:
    data = json.loads(ask("Hi", "--json", *option).stdout)
    assert (data["reasoning"], data["thinking_end"]) == ("", "skipped")
    assert data["usage"]["reasoning_tokens"] == 0


def test_a_dash_reads_standard_input() -> None:
    result = ask("-", "--skip-reasoning", stdin="Größe?\nbitte".encode())
    assert "“Größe?”" in result.stdout


def test_standard_input_that_is_no_text_is_named() -> None:
    result = ask("-", stdin=b"abc\xff")
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: Standard input is not UTF-8 text (byte 4); convert it and try again.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["  "], "message is empty"),
        (["Hi", "--scenario", "poetry"], "choose one of: education"),
        (["Hi", "--thinking-budget", "-1"], "thinking budget"),
        (["Hi", "--thinking-budget", "1000000000000"], "thinking budget"),
        (["Hi", "--temperature", "9"], "temperature"),
        (["Hi", "--max-tokens", "0"], "maximum of tokens"),
        (["x" * 200_000], "characters"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_1(arguments: list[str], named: str) -> None:
    result = ask(*arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert named in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [["ask"], ["ask", "Hi", "--thinking-budget", "abc"], ["ask", "Hi", "--nope"], ["fly"]],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr


def test_a_missing_model_is_named() -> None:
    result = CliRunner().invoke(app, ["ask", "Hi", "--engine", "local", "--model", "./nowhere"])
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: There is no model folder ./nowhere;")


def test_a_reader_that_closes_the_pipe_gets_no_traceback(tmp_path: Path) -> None:
    errors = tmp_path / "errors"
    with errors.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "nano2_app", "ask", "Hi", "--skip-reasoning", *SCRIPTED],
            cwd=PROJECT_DIR,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(timeout=60) == 1
    assert errors.read_text(encoding="utf-8") == ""
