"""Many requests on one model: what each gets must not depend on the others."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from nano2_app.chat.events import (
    AnswerDelta,
    Finished,
    FinishReason,
    Prefill,
    Queued,
    ReasoningDelta,
)
from nano2_app.chat.messages import assistant, system, user
from nano2_app.chat.sampling_params import SamplingParams
from nano2_app.chat.template import render_prompt
from nano2_app.chat.transcript import Transcript
from nano2_app.engine.base import Engine, GenerationRequest
from nano2_app.engine.local.loader import load_engine
from nano2_app.engine.local.local_engine import LocalEngine
from nano2_app.engine.local.model_runner import ModelRunner
from nano2_app.engine.local.scheduler import Step
from nano2_app.engine.local.tokenizer import PromptTokenizer
from nano2_app.errors import ContextTooLong, GenerationFailed
from tests.engine.conftest import EngineMaker
from tests.engine.generation import collect, request, transcribe, until, wait_for
from tests.engine.random_model import byte_tokenizer, save_random_model

TEXTS = [f"{number} " + "word " * (7 * number) for number in range(6)]


@pytest.fixture
def wide_engine(make_engine: EngineMaker) -> Engine:
    return make_engine(slots=4, max_waiting=100)


@pytest.fixture
def two_slots(model_dir: Path) -> Iterator[LocalEngine]:
    engine = load_engine(str(model_dir), device="cpu", slots=2)
    yield engine
    engine.close()


def said(transcript: Transcript) -> tuple[str, str]:
    return transcript.reasoning, transcript.answer


async def test_greedy_answers_in_a_batch_are_those_of_transformers_generate(
    local_engine: LocalEngine, model_dir: Path
) -> None:
    tokenizer = PromptTokenizer(byte_tokenizer().backend_tokenizer)
    model = AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float32, time_step_min=0.0)

    def generate(text: str) -> str:
        prompt = tokenizer.encode_prompt(render_prompt([user(text)], thinking=False)).tokens
        ids = model.generate(torch.tensor([prompt]), max_new_tokens=80, do_sample=False)
        detokenizer = tokenizer.detokenizer()
        return "".join(detokenizer.add(int(token)) for token in ids[0, len(prompt) :]).strip()

    asked = [request(text, max_tokens=80, skip_reasoning=True) for text in TEXTS]
    done = await asyncio.gather(*(transcribe(local_engine, one) for one in asked))
    assert [one.answer for one in done] == [generate(text) for text in TEXTS]


@pytest.mark.parametrize("params", [{}, {"temperature": 0.8, "top_p": 0.9, "seed": 3}])
async def test_a_sequence_gives_the_same_alone_and_in_any_mix(
    local_engine: LocalEngine, params: dict[str, Any]
) -> None:
    def ask(number: int) -> GenerationRequest:
        length = 40 + 30 * number  # they leave at different steps
        return request(TEXTS[number], thinking_budget=15 * number, max_tokens=length, **params)

    alone = [await transcribe(local_engine, ask(number)) for number in range(6)]
    first = [asyncio.create_task(transcribe(local_engine, ask(number))) for number in (5, 4)]
    await until(lambda: local_engine.status().running == 2)
    joining = [asyncio.create_task(transcribe(local_engine, ask(number))) for number in (0, 2)]
    leaving = request("leaves in the middle", max_tokens=1000)
    async with aclosing(local_engine.generate(leaving)) as stream:
        await wait_for(stream, ReasoningDelta)
        joining += [asyncio.create_task(transcribe(local_engine, ask(number))) for number in (1, 3)]
        await asyncio.gather(*joining[:2])
    mixed = await asyncio.gather(*first, *joining)
    for number, transcript in zip((5, 4, 0, 2, 1, 3), mixed, strict=True):
        assert said(transcript) == said(alone[number])
        assert transcript.usage == alone[number].usage


async def test_they_run_side_by_side(wide_engine: Engine) -> None:
    tasks = [asyncio.create_task(collect(wide_engine, request(max_tokens=300))) for _ in range(4)]
    await until(lambda: wide_engine.status().running == 4)
    assert wide_engine.status().waiting == 0
    for events in await asyncio.gather(*tasks):
        assert not any(isinstance(event, Queued) for event in events)


async def test_many_are_all_served_first_come_first(make_engine: EngineMaker) -> None:
    engine = make_engine(slots=4, max_waiting=100)
    began: list[int] = []

    async def ask(number: int) -> None:
        first = True
        async for event in engine.generate(request(f"{number}", max_tokens=20 + number % 7)):
            if first and isinstance(event, Prefill):
                began.append(number)
                first = False

    tasks = []
    for number in range(40):
        tasks.append(asyncio.create_task(ask(number)))
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert sorted(began) == list(range(40))
    assert all(abs(place - number) <= 4 for place, number in enumerate(began))
    assert (engine.status().running, engine.status().waiting) == (0, 0)


async def test_those_who_read_go_on_while_a_long_prompt_is_read(local_engine: LocalEngine) -> None:
    steps: list[str] = []

    async def note(name: str, asked: GenerationRequest) -> None:
        async for event in local_engine.generate(asked):
            steps.append(f"{name} {type(event).__name__}")  # noqa: PERF401 (others read it now)

    reader = asyncio.create_task(note("reader", request(max_tokens=400)))
    await until(lambda: "reader ReasoningDelta" in steps)
    await note("long", request("word " * 600, max_tokens=20))
    reading = [step for step in steps if step == "long Prefill"]
    start, end = steps.index("long Prefill"), len(steps) - steps[::-1].index("long Prefill")
    between = steps[start:end]
    assert len(reading) > 5
    assert between.count("reader ReasoningDelta") >= len(reading) - 2
    await reader


async def test_a_short_prompt_does_not_wait_for_all_of_a_long_one(
    local_engine: LocalEngine,
) -> None:
    long = request("word " * 700, max_tokens=30)
    async with aclosing(local_engine.generate(long)) as stream:
        await wait_for(stream, Prefill)
        await transcribe(local_engine, request("Hi", max_tokens=5))
        async for event in stream:
            if isinstance(event, Prefill):
                break  # still reading
            assert not isinstance(event, ReasoningDelta), "the long prompt was read first"


async def test_an_abort_frees_the_slot_within_a_step(local_engine: LocalEngine) -> None:
    asked = [request(max_tokens=3000) for _ in range(8)]
    tasks = [asyncio.create_task(transcribe(local_engine, one)) for one in asked]
    await until(lambda: local_engine.status().running == 8)
    late = asyncio.create_task(transcribe(local_engine, request(max_tokens=30)))
    await until(lambda: local_engine.status().waiting == 1)
    local_engine.abort(asked[3].request_id)
    assert (await late).finish_reason is FinishReason.LENGTH
    assert (await tasks[3]).finish_reason is FinishReason.ABORT
    assert local_engine.status().running == 7
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await until(lambda: local_engine.status().running == 0)


def break_once(
    monkeypatch: pytest.MonkeyPatch,
    marker: str,
    *,
    at_tokens: int,
    strike: Callable[[torch.Tensor], None],
) -> None:
    """Break the model for one sequence, once it has been read so far."""
    forward, fired = ModelRunner.forward, False

    def broken(runner: ModelRunner, step: Step) -> torch.Tensor:
        nonlocal fired
        logits = forward(runner, step).clone()
        for row, sequence in enumerate(step.decoding):
            marked = marker in sequence.request.messages[0].content
            if marked and sequence.num_computed >= at_tokens and not fired:
                fired = True
                strike(logits[row])
        return logits

    monkeypatch.setattr(ModelRunner, "forward", broken)


def no_number(row: torch.Tensor) -> None:
    row.fill_(float("nan"))


def out_of_memory(_: torch.Tensor) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory.")


def defect(_: torch.Tensor) -> None:
    raise ZeroDivisionError


async def run_mix(engine: Engine) -> list[Transcript | BaseException]:
    """Four at once; the third says BAD and is the longest."""
    texts = ["one", "two", "BAD " * 40, "four"]
    asked = [request(text, thinking_budget=30, max_tokens=90) for text in texts]
    runs = [transcribe(engine, one) for one in asked]
    return await asyncio.gather(*runs, return_exceptions=True)


async def test_a_row_that_is_no_number_ends_that_request_only(
    local_engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm = await run_mix(local_engine)
    with monkeypatch.context() as patch:
        break_once(patch, "BAD", at_tokens=210, strike=no_number)
        struck = await run_mix(local_engine)
    assert isinstance(struck[2], GenerationFailed)
    assert "no usable numbers" in str(struck[2])
    for number in (0, 1, 3):
        one, other = calm[number], struck[number]
        assert isinstance(one, Transcript)
        assert isinstance(other, Transcript)
        assert said(one) == said(other)
    again = await run_mix(local_engine)
    assert [said(one) for one in again if isinstance(one, Transcript)] == [
        said(one) for one in calm if isinstance(one, Transcript)
    ]


async def test_memory_that_held_no_numbers_is_clean_for_the_next(
    local_engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm = await transcribe(local_engine, request("one", max_tokens=60))
    cache = local_engine._runner.cache
    forward = ModelRunner.forward

    def poison(runner: ModelRunner, step: Step) -> torch.Tensor:
        logits = forward(runner, step)
        for pool in (*cache.keys, *cache.values):
            pool[list(step.decoding[0].table.blocks) if step.decoding else []] = float("nan")
        for state in cache.recurrent:
            state[0] = float("nan")
        return logits

    with monkeypatch.context() as patch:
        patch.setattr(ModelRunner, "forward", poison)
        with pytest.raises(GenerationFailed, match="no usable numbers"):
            await collect(local_engine, request("word " * 100, max_tokens=60))
    assert said(await transcribe(local_engine, request("one", max_tokens=60))) == said(calm)


async def test_out_of_memory_lets_the_largest_go_and_the_rest_go_on_unchanged(
    local_engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm = await run_mix(local_engine)
    with monkeypatch.context() as patch:
        break_once(patch, "two", at_tokens=50, strike=out_of_memory)
        struck = await run_mix(local_engine)
    assert isinstance(struck[2], GenerationFailed)
    assert "not enough memory" in str(struck[2])
    for number in (0, 1, 3):
        one, other = calm[number], struck[number]
        assert isinstance(one, Transcript)
        assert isinstance(other, Transcript)
        assert said(one) == said(other)
        assert one.usage == other.usage


async def test_a_broken_step_ends_the_running_and_serves_the_waiting(
    two_slots: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = two_slots
    calm = await transcribe(engine, request("three", max_tokens=60))
    break_once(monkeypatch, "two", at_tokens=60, strike=defect)
    runs = [transcribe(engine, request(text, max_tokens=60)) for text in ("one", "two", "three")]
    one, two, three = await asyncio.gather(*runs, return_exceptions=True)
    for failed in (one, two):
        assert isinstance(failed, GenerationFailed)
        assert "try again" in str(failed)
    assert isinstance(three, Transcript)
    assert said(three) == said(calm)


# Prompts that begin like earlier ones

SYSTEM = "You are a tutor. " * 6
DOCUMENT = "A document. " * 150


def conversation(*turns: str, text: str) -> GenerationRequest:
    """Ask in a conversation with a system prompt; the turns are answered in its history."""
    history = [message for turn in turns for message in (user(turn), assistant("An answer."))]
    params = SamplingParams(temperature=0.0, thinking_budget=20, max_tokens=60)
    return GenerationRequest((system(SYSTEM), *history, user(text)), params)


async def first_progress(engine: Engine, asked: GenerationRequest) -> tuple[int, int, Transcript]:
    transcript, progress = Transcript(), []
    async for event in engine.generate(asked):
        transcript.add(event)
        if isinstance(event, Prefill):
            progress.append(event)
    return progress[0].done, progress[0].total, transcript


async def test_a_follow_up_does_not_read_the_document_again(
    local_engine: LocalEngine, model_dir: Path
) -> None:
    done, first_total, _ = await first_progress(local_engine, conversation(text=DOCUMENT))
    assert done == 0
    follow_up = conversation(DOCUMENT, text="And what does it mean?")
    done, total, reused = await first_progress(local_engine, follow_up)
    assert done > 0.98 * (first_total - 20)
    assert total - done < 100
    stats = local_engine.status().stats
    assert (stats.prefix_queries, stats.prefix_hits, stats.prefix_tokens) == (2, 1, done)
    fresh = load_engine(str(model_dir), device="cpu")
    try:
        assert said(await transcribe(fresh, follow_up)) == said(reused)
    finally:
        fresh.close()


async def test_conversations_of_a_scenario_share_its_system_prompt(
    local_engine: LocalEngine,
) -> None:
    await collect(local_engine, conversation(text="What is 2 + 2?"))
    runs = [first_progress(local_engine, conversation(text=f"Number {n}?")) for n in range(4)]
    for done, _, _ in await asyncio.gather(*runs):
        assert done >= len(SYSTEM)


async def test_kept_prefixes_are_bounded_and_the_least_used_goes_first(
    local_engine: LocalEngine,
) -> None:
    kept = local_engine._runner.cache.plan.snapshots
    await collect(local_engine, conversation(text="the first of all, to be forgotten"))
    for number in range(kept):
        await collect(local_engine, conversation(text=f"a question with the number {number}"))
    cache = local_engine.status().cache
    assert cache is not None
    assert cache.prefixes == kept
    done, _, _ = await first_progress(
        local_engine, conversation("the first of all, to be forgotten", text="Go on")
    )
    assert done < len(SYSTEM) + 30  # only the system prompt, used by all, was kept
    done, total, _ = await first_progress(
        local_engine, conversation(f"a question with the number {kept - 1}", text="Go on")
    )
    assert total - done < 80


async def test_kept_prefixes_give_way_to_those_who_need_the_room(model_dir: Path) -> None:
    engine = load_engine(str(model_dir), device="cpu", slots=1, memory=640_000)
    try:
        room = engine.status().cache
        assert room is not None
        assert room.total_tokens < 2 * 4096
        for number in range(6):
            text = f"{number} " + "word " * 500
            done = await transcribe(engine, conversation(text=text))
            assert done.finish_reason is FinishReason.LENGTH
        await until(lambda: engine.status().running == 0)
        used = engine.status().cache
        assert used is not None
        assert used.used_tokens <= used.total_tokens
    finally:
        engine.close()


async def test_what_does_not_fit_now_waits_and_what_never_fits_is_refused(tmp_path: Path) -> None:
    folder = save_random_model(tmp_path, context_length=16384)
    engine = load_engine(str(folder), device="cpu", slots=4, memory=2_200_000)
    try:
        cache = engine.status().cache
        assert cache is not None
        assert engine.status().slots == 4
        big = cache.total_tokens * 2 // 3
        first = asyncio.create_task(transcribe(engine, request(max_tokens=big)))
        await until(lambda: engine.status().running == 1)
        positions: list[int] = []

        async def second() -> None:
            async for event in engine.generate(request(max_tokens=big)):
                if isinstance(event, Queued):
                    positions.append(event.position)
                if isinstance(event, ReasoningDelta | AnswerDelta):
                    break

        waiting = asyncio.create_task(second())
        await until(lambda: positions == [1])
        third = asyncio.create_task(transcribe(engine, request(max_tokens=10)))
        await until(lambda: engine.status().waiting == 2)  # first come, first served: it waits
        first.cancel()
        await asyncio.gather(waiting, third)
        with pytest.raises(ContextTooLong):
            await collect(engine, request("word " * 3400))
    finally:
        engine.close()


async def test_nothing_is_held_after_all_are_done(local_engine: LocalEngine) -> None:
    async def leave_early(number: int) -> None:
        stream = local_engine.generate(request(TEXTS[number % 6], max_tokens=400))
        await wait_for(stream, ReasoningDelta)
        await stream.aclose()

    for _ in range(3):
        runs = [transcribe(local_engine, request(text, max_tokens=50)) for text in TEXTS]
        await asyncio.gather(*runs, *(leave_early(number) for number in range(10)))
    await until(lambda: local_engine.status().running == 0)
    local_engine._memory.forget()
    cache = local_engine.status().cache
    assert cache is not None
    assert (cache.used_tokens, cache.prefixes) == (0, 0)


async def test_status_counts_what_was_done(local_engine: LocalEngine) -> None:
    runs = [collect(local_engine, request(text, max_tokens=50)) for text in TEXTS]
    ended = [events[-1] for events in await asyncio.gather(*runs)]
    stats = local_engine.status().stats
    assert stats.output_tokens == 6 * 50
    assert stats.first_token.count == 6
    assert stats.between_tokens.count == 6 * 49
    assert stats.finished == {"length": 6}
    assert stats.tokens_per_second > 0
    usages = [event.usage.prompt_tokens for event in ended if isinstance(event, Finished)]
    assert stats.prompt_tokens == sum(usages)
