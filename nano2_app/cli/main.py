"""The command line: options to settings, errors to one line and an exit code."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from nano2_app.config import EngineChoice, load_settings
from nano2_app.errors import NanoError

app = typer.Typer(
    help="Nano 2 Studio: NVIDIA-Nemotron-Nano-9B-v2 with its reasoning in view and in hand.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Engine = Annotated[EngineChoice | None, typer.Option(help="What runs the model.")]
Model = Annotated[str | None, typer.Option(help="Model folder or hub id.", metavar="PATH_OR_ID")]
Endpoint = Annotated[str | None, typer.Option(help="Server to use instead.", metavar="URL")]


@app.command()
def serve(
    engine: Engine = None,
    model: Model = None,
    endpoint: Endpoint = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.")] = None,
) -> None:
    """Start the app in the browser."""
    with _errors_in_one_line():
        from nano2_app.cli.serve import serve_app

        settings = load_settings(
            engine=engine, model=model, endpoint=endpoint, host=host, port=port
        )
        serve_app(settings)


@app.command()
def ask(
    prompt: Annotated[str, typer.Argument(help="The question; - reads standard input.")],
    scenario: Annotated[str, typer.Option(help="Tab whose settings to use.")] = "education",
    thinking_budget: Annotated[
        int | None, typer.Option(help="Tokens of reasoning; 0 skips it.", metavar="N")
    ] = None,
    skip_reasoning: Annotated[
        bool, typer.Option("--skip-reasoning", help="Answer without reasoning.")
    ] = False,
    max_tokens: Annotated[
        int | None, typer.Option(help="Most tokens of reasoning and answer.", metavar="N")
    ] = None,
    temperature: Annotated[float | None, typer.Option(help="0 is greedy.", metavar="T")] = None,
    seed: Annotated[int | None, typer.Option(help="Repeats an answer.", metavar="N")] = None,
    engine: Engine = None,
    model: Model = None,
    endpoint: Endpoint = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Ask one question; the reasoning goes to stderr, the answer to stdout."""
    with _errors_in_one_line():
        from nano2_app.cli.ask import ask_once

        settings = load_settings(engine=engine, model=model, endpoint=endpoint)
        sampling = {
            "thinking_budget": thinking_budget,
            "skip_reasoning": skip_reasoning,
            "max_tokens": max_tokens,
            "temperature": temperature,
            "seed": seed,
        }
        ask_once(settings, prompt, scenario_id=scenario, sampling=sampling, as_json=json)


@contextmanager
def _errors_in_one_line() -> Iterator[None]:
    """Exit 1 with one line for what went wrong; a traceback never reaches the person."""
    try:
        yield
    except NanoError as error:
        typer.echo(f"Error: {' '.join(str(error).split())}", err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except BrokenPipeError:
        # The reader has gone, so there is no one to tell; keep Python from trying at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None
    except Exception as error:
        logging.getLogger(__name__).debug("Unexpected failure", exc_info=True)
        typer.echo(f"Error: something failed inside the app ({type(error).__name__}).", err=True)
        raise typer.Exit(1) from None
