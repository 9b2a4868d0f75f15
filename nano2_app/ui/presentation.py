"""What people read: from transcripts and errors to chat messages, titles and lines. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from nano2_app.chat.events import FinishReason, ThinkingEnd
from nano2_app.chat.transcript import Phase, Transcript
from nano2_app.errors import NanoError

ENDINGS = {
    ThinkingEnd.MODEL: "the model was done",
    ThinkingEnd.BUDGET: "budget reached",
    ThinkingEnd.USER: "you asked for the answer",
    ThinkingEnd.MAX_TOKENS: "token limit",
    ThinkingEnd.STOPPED: "stopped",
    ThinkingEnd.SKIPPED: "skipped",
}

UNEXPECTED = "Something failed inside the app; its log has the details. Please try again."

# What Markdown shows as it is (code) or gives to the formula renderer, and must not be escaped.
# Bounded, so that a text made of openings without an end costs no more than any other.
_VERBATIM = re.compile(
    r"""
      ^[ ]{0,3}(?P<fence>`{3,30}|~{3,30})[^\n]*\n .*? (?:^[ ]{0,3}(?P=fence)[`~]*[ \t]*$ | \Z)
    | (?:\A|(?<=\n\n)) (?:(?:[ ]{4}|\t)[^\n]*(?:\n|\Z))+
    | (?<!`)(?P<ticks>`{1,30})(?!`) .{1,2000}? (?<!`)(?P=ticks)(?!`)
    | \$\$.{1,2000}?\$\$ | \\\[.{1,2000}?\\\] | \\\(.{1,2000}?\\\) | \$[^$\n]+\$
    """,
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)
# An odd number of backslashes before it escapes it already.
_MARKUP = re.compile(r"(?<!\\)((?:\\\\)*)(<(?=[A-Za-z/!?])|&(?=\#?\w+;))")


@dataclass(slots=True)
class Turn:
    """A question and what came of it.

    Attributes:
        question: the person's words.
        transcript: what the model has said.
        failure: one sentence on what ended the turn early, if something did.
    """

    question: str
    transcript: Transcript
    failure: str = ""

    @property
    def said_something(self) -> bool:
        """Whether there is anything to keep."""
        return bool(self.transcript.reasoning or self.transcript.answer)


def chat_messages(turns: Iterable[Turn]) -> list[dict[str, Any]]:
    """Build the chat of the page."""
    return [message for turn in turns for message in turn_messages(turn)]


def turn_messages(turn: Turn) -> list[dict[str, Any]]:
    """Build one turn: the question, the reasoning if there is any, the answer once it begins."""
    messages = [_message("user", turn.question)]
    if title := thought_title(turn):
        thinking = turn.transcript.thinking_end is None and not turn.failure
        metadata = {"title": title, "status": "pending" if thinking else "done"}
        messages.append(_message("assistant", turn.transcript.reasoning) | {"metadata": metadata})
    if turn.transcript.answer:
        messages.append(_message("assistant", turn.transcript.answer))
    return messages


def thought_title(turn: Turn) -> str:
    """Say where the reasoning stands, or how it ended; empty if there is no reasoning to show."""
    transcript = turn.transcript
    if transcript.thinking_end is None:
        if turn.failure:
            return f"Thought · {tokens(transcript.reasoning_tokens)} · failed"
        return activity(turn)
    if transcript.reasoning_tokens == 0:
        return ""
    seconds = f"{transcript.thinking_seconds:.1f} s"
    spent = tokens(transcript.reasoning_tokens)
    return f"Thought for {seconds} · {spent} · {ENDINGS[transcript.thinking_end]}"


def activity(turn: Turn) -> str:
    """Say what is going on, while it is."""
    transcript = turn.transcript
    match transcript.phase:
        case Phase.QUEUED if transcript.position > 1:
            return f"Waiting · {transcript.position - 1:,} ahead"
        case Phase.QUEUED if transcript.position == 1:
            return "Waiting · next in line"
        case Phase.QUEUED:
            return "Starting"
        case Phase.PREFILL:
            done, total = transcript.prefill
            return f"Reading · {done:,} of {tokens(total)}"
        case Phase.THINKING if transcript.thinking_budget is not None:
            budget = tokens(transcript.thinking_budget)
            return f"Thinking · {transcript.reasoning_tokens:,} of {budget}"
        case Phase.THINKING:
            return f"Thinking · {tokens(transcript.reasoning_tokens)}"
        case Phase.ANSWERING:
            return "Answering"
        case Phase.DONE:
            return ""


def status_line(turn: Turn, seed: int | None) -> str:
    """Say what is going on, or what the last answer took."""
    transcript = turn.transcript
    if turn.failure:
        return turn.failure
    usage, timings = transcript.usage, transcript.timings
    if usage is None or timings is None:
        return activity(turn)
    end = ENDINGS[transcript.thinking_end or ThinkingEnd.SKIPPED]
    facts = [
        f"{tokens(usage.reasoning_tokens)} of reasoning ({end})",
        f"{usage.answer_tokens:,} of answer",
    ]
    if timings.time_to_first_token_s is not None:
        facts.append(f"first token after {timings.time_to_first_token_s:.2f} s")
        facts.append(f"{timings.tokens_per_second:.1f} tokens/s")
    facts.append(f"seed {seed}")
    return _ending(transcript) + " · ".join(facts)


def history(turns: Iterable[Turn]) -> list[dict[str, str]]:
    """Build the history for the next request: questions that got an answer, and those answers."""
    return [
        message
        for turn in turns
        if turn.transcript.answer.strip()
        for message in (
            {"role": "user", "content": turn.question},
            {"role": "assistant", "content": turn.transcript.answer},
        )
    ]


def sentence(error: Exception) -> str:
    """Say what went wrong in one line; what is not the person's business stays in the log."""
    return " ".join(str(error).split()) if isinstance(error, NanoError) else UNEXPECTED


def inert(text: str) -> str:
    """Escape what Markdown would take for HTML, so that a typed tag or entity is seen as it is.

    Code and formulas stay as they are: they show `<` by themselves.
    """
    parts, end = [], 0
    for match in _VERBATIM.finditer(text):
        parts += [_MARKUP.sub(r"\1\\\2", text[end : match.start()]), match.group()]
        end = match.end()
    return "".join([*parts, _MARKUP.sub(r"\1\\\2", text[end:])])


def tokens(number: int) -> str:
    """Write a number of tokens."""
    return f"{number:,} token" if number == 1 else f"{number:,} tokens"


def _ending(transcript: Transcript) -> str:
    match transcript.finish_reason:
        case FinishReason.LENGTH:
            return "The answer was cut at the token limit. "
        case FinishReason.ABORT if not transcript.answer:
            return "Stopped before the answer began. "
        case FinishReason.ABORT:
            return "Stopped. "
        case _:
            return ""


def _message(role: str, text: str) -> dict[str, Any]:
    # Gradio strips the indentation of plain strings, but not of content parts.
    return {"role": role, "content": [{"type": "text", "text": inert(text)}]}
