"""From a transcript to what the page shows: pure, no gradio.

Text of people and models is untrusted. It is markdown to the page, so code and formulas render, but
anything that could begin an HTML tag outside of code is escaped and seen as it was written.
"""

import re
from dataclasses import dataclass
from typing import Any

from nano2_app.chat.events import FinishReason, ThinkingEnd
from nano2_app.chat.messages import Message, assistant, user
from nano2_app.chat.transcript import Phase, Transcript
from nano2_app.engine.base import EngineStatus, ModelKind

ChatMessage = dict[str, Any]
"""A message of gradio's chatbot."""

_CODE = re.compile(r"(```.*?(?:```|\Z)|`[^`\n]+`)", re.DOTALL)
_TAG_START = re.compile(r"<(?=[A-Za-z/!?])")
_ENTITY_START = re.compile(r"&(?=#?\w+;)")

_WHY_ENDED = {
    ThinkingEnd.MODEL: "the model was done",
    ThinkingEnd.BUDGET: "the budget was reached",
    ThinkingEnd.USER: "you asked for the answer",
    ThinkingEnd.MAX_TOKENS: "the token limit was reached",
    ThinkingEnd.STOPPED: "stopped",
    ThinkingEnd.SKIPPED: "skipped",
}


@dataclass(frozen=True, slots=True)
class Turn:
    """A question, and what has come of it.

    Attributes:
        question: as the person wrote it.
        transcript: of the generation so far.
        error: one sentence, if the generation failed.
    """

    question: str
    transcript: Transcript
    error: str = ""


Conversation = tuple[Turn, ...]


def history(conversation: Conversation) -> tuple[Message, ...]:
    """Messages of the turns that got an answer; those stopped or failed before it are left out."""
    answered = [turn for turn in conversation if turn.transcript.answer.strip()]
    return tuple(
        message
        for turn in answered
        for message in (user(turn.question), assistant(turn.transcript.answer))
    )


def chat_messages(conversation: Conversation) -> list[ChatMessage]:
    """Render a conversation for the chatbot."""
    return [message for turn in conversation for message in _turn(turn)]


def thinking_title(transcript: Transcript) -> str:
    """Say in plain words what is going on before the answer, or how the thinking went."""
    match transcript.phase:
        case Phase.QUEUED:
            if transcript.position == 0:
                return "Starting …"
            return "Waiting · you are next" if transcript.position == 1 else _waiting(transcript)
        case Phase.PREFILL:
            done, total = transcript.prefill
            return f"Reading · {done:,} of {total:,} tokens" if done else "Reading …"
        case Phase.THINKING:
            budget = transcript.thinking_budget
            of_budget = "" if budget is None else f" of {budget:,}"
            return f"Thinking · {transcript.reasoning_tokens:,}{of_budget} tokens"
        case Phase.ANSWERING | Phase.DONE:
            why = _WHY_ENDED[transcript.thinking_end or ThinkingEnd.STOPPED]
            seconds = f"{transcript.thinking_seconds:.1f} s"
            return f"Thought for {seconds} · {transcript.reasoning_tokens:,} tokens · {why}"


def stats_line(transcript: Transcript, seed: int | None) -> str:
    """Tell the figures of a finished answer in one line of markdown."""
    usage, timings = transcript.usage, transcript.timings
    if usage is None or timings is None:
        return ""
    parts = [f"{usage.reasoning_tokens:,} reasoning + {usage.answer_tokens:,} answer tokens"]
    if timings.time_to_first_token_s is not None:
        parts.append(f"first token after {timings.time_to_first_token_s:.2f} s")
        parts.append(f"{timings.tokens_per_second:,.0f} tokens/s")
    if seed is not None:
        parts.append(f"seed {seed}")
    if transcript.finish_reason is FinishReason.LENGTH:
        parts.append("**cut at the token limit**")
    if transcript.finish_reason is FinishReason.ABORT:
        parts.append("stopped")
    return " · ".join(parts)


def model_line(status: EngineStatus) -> str:
    """Say which model answers, and what it is, in one line of markdown."""
    card = status.model
    facts = [f"{card.context_length:,} tokens of context"]
    if card.parameters is not None:
        facts.insert(0, f"{_short_number(card.parameters)} parameters")
    if card.device is not None:
        facts.append(f"on {card.device}")
    badge = {
        ModelKind.EMBEDDED: "Embedded stand-in",
        ModelKind.SCRIPTED: "No model",
        ModelKind.NANO_9B: "The 9B",
        ModelKind.OTHER: "Your model",
    }[card.kind]
    name = escape(card.name)
    return f"`{badge}` **{name}** — {escape(card.description)} ({', '.join(facts)})"


def escape(text: str) -> str:
    """Make tags and entities outside of code visible as text; code is left as it is."""
    pieces = _CODE.split(text)
    pieces[::2] = [
        _TAG_START.sub("&lt;", _ENTITY_START.sub("&amp;", piece)) for piece in pieces[::2]
    ]
    return "".join(pieces)


def _turn(turn: Turn) -> list[ChatMessage]:
    transcript = turn.transcript
    messages = [_message("user", turn.question)]
    if _has_thought(turn):
        running = transcript.thinking_end is None and not turn.error
        thought = _message("assistant", transcript.reasoning)
        thought["metadata"] = {
            "title": thinking_title(transcript),
            "status": "pending" if running else "done",
        }
        messages.append(thought)
    if transcript.answer:
        messages.append(_message("assistant", transcript.answer))
    elif transcript.finish_reason is FinishReason.ABORT:
        messages.append(_message("assistant", "*Stopped before the answer.*"))
    if turn.error:
        messages.append(_message("assistant", f"⚠ {turn.error}"))
    return messages


def _has_thought(turn: Turn) -> bool:
    """Whether there is something to show above the answer: progress, or reasoning."""
    transcript = turn.transcript
    if transcript.thinking_end is None:
        return not turn.error or bool(transcript.reasoning)
    return transcript.thinking_end is not ThinkingEnd.SKIPPED and transcript.reasoning_tokens > 0


def _message(role: str, text: str) -> ChatMessage:
    # A plain string would lose its indentation on the way to the page.
    return {"role": role, "content": [{"type": "text", "text": escape(text)}]}


def _waiting(transcript: Transcript) -> str:
    return f"Waiting · {transcript.position - 1:,} ahead of you"


def _short_number(number: int) -> str:
    if number >= 10**9:
        return f"{number / 10**9:.1f} billion"
    return f"{number / 10**6:.1f} million"
