"""The generated data is right, and nothing kept for measuring is trained on."""

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders

from nano2_app.chat.messages import user
from nano2_app.chat.template import render_prompt
from training.batches import pool_batches
from training.conversation import TASKS, Reasoning, training_conversation
from training.examples import CLOSE, build_example, cut, ends_line, forced_close
from training.grading import BLOCK, is_right
from training.split import is_held_out
from training.tasks import arithmetic, code, equations, percentages, support
from training.tasks.arithmetic import polish
from training.tokenizer import build_tokenizer, encode, encode_prompt
from training.wordings import every_wording

NUMBER = re.compile(r"\d+")
SIDES = pytest.mark.parametrize("held_out", [False, True])


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return build_tokenizer(seed=0, samples=500)


def stated(answer: str) -> str:
    return answer.split("**")[1]


@SIDES
def test_additions_are_right(held_out: bool) -> None:
    rng = Random(1)
    for _ in range(400):
        sample = arithmetic.addition(rng, held_out)
        a, b = map(int, NUMBER.findall(sample.question))
        assert stated(sample.answer) == str(a + b)
        assert sample.trace.endswith(f"-> {a + b}")


@SIDES
def test_subtractions_are_right(held_out: bool) -> None:
    rng = Random(2)
    for _ in range(400):
        sample = arithmetic.subtraction(rng, held_out)
        a, b = map(int, NUMBER.findall(sample.question))
        if re.search(r"(?i)subtract|\btake\b", sample.question) and "away" not in sample.question:
            a, b = b, a
        if "away from" in sample.question:
            a, b = b, a
        assert stated(sample.answer) == str(a - b)
        assert sample.trace.split("\n")[-1].endswith(str(a - b))


@SIDES
def test_products_are_right(held_out: bool) -> None:
    rng = Random(3)
    for _ in range(400):
        sample = arithmetic.multiplication(rng, held_out)
        a, b = map(int, NUMBER.findall(sample.question))
        assert stated(sample.answer) == str(a * b)
        assert sample.trace.endswith(f"-> {a * b}")


@SIDES
def test_percentages_are_right(held_out: bool) -> None:
    rng = Random(4)
    for _ in range(400):
        sample = percentages.percentage(rng, held_out)
        first, second = map(int, NUMBER.findall(sample.question))
        assert float(stated(sample.answer)) * 100 == pytest.approx(first * second)
        assert sample.trace.endswith(f"= {stated(sample.answer)}")


@SIDES
def test_equations_are_right(held_out: bool) -> None:
    rng = Random(5)
    form = re.compile(r"(\d*)(?: ?\* ?)?([a-z]) ?([-+/]?) ?(\d*) ?= ?(\d+)")
    for _ in range(400):
        sample = equations.equation(rng, held_out)
        found = form.search(sample.question)
        assert found is not None
        factor, letter, sign, a, b = found.groups()
        name, solution = stated(sample.answer).split(" = ")
        x = int(solution)
        left = {"+": x + int(a or 0), "-": x - int(a or 0), "": x * int(factor or 1)}
        if sign == "/":
            assert x == int(a) * int(b)
        else:
            assert left[sign] == int(b)
        assert name == letter
        assert sample.trace.endswith(f"{letter} = {x}")


@pytest.mark.parametrize("function", code.FUNCTIONS, ids=lambda function: function.name)
def test_the_functions_pass_their_tests(function: code.Function) -> None:
    assert code.passes(code.write(function, "some_name"), function, "some_name")
    assert not code.passes("def some_name(x):\n    return None", function, "some_name")


@pytest.mark.parametrize("task", TASKS)
@SIDES
def test_every_answer_passes_its_own_grading(task: str, held_out: bool) -> None:
    rng = Random(6)
    for _ in range(40):
        sample = TASKS[task](rng, held_out)
        assert sample.task == task
        assert is_right(sample, sample.answer)
        assert not is_right(sample, "I do not know.")


def test_a_name_the_user_gives_is_the_name_in_the_code() -> None:
    rng = Random(7)
    for _ in range(100):
        sample = code.named_code(rng, False)
        name = sample.check.split()[1]
        block = BLOCK.search(sample.answer)
        assert block is not None
        assert block.group(1).startswith(f"def {name}(")
        assert name in sample.question


def test_order_numbers_are_copied() -> None:
    rng = Random(8)
    for _ in range(200):
        sample = support.support(rng, False)
        number = sample.check.split()[2]
        assert number in sample.question
        assert number in sample.answer
        assert sample.trace.endswith(number)


def plain(text: str) -> str:
    return text.lower().rstrip(".?! ")


@pytest.mark.parametrize("place", every_wording())
def test_no_wording_is_on_both_sides(place: str) -> None:
    wordings = every_wording()[place]
    assert wordings.held_out
    assert not set(map(plain, wordings.train)) & set(map(plain, wordings.held_out))


@pytest.mark.parametrize("task", [*TASKS][:7])
def test_no_question_to_measure_with_comes_up_in_training(task: str) -> None:
    """Whatever `polish` does to a wording: not even with other numbers in it."""

    def shapes(held_out: bool) -> set[str]:
        rng = Random(15)
        drawn = (TASKS[task](rng, held_out) for _ in range(3000))
        return {re.sub(r"\d+", "N", plain(sample.question)).replace(" ", "") for sample in drawn}

    assert not shapes(False) & shapes(True)


def test_no_training_conversation_holds_a_problem_kept_for_measuring() -> None:
    rng = Random(9)
    for _ in range(1500):
        sample = training_conversation(rng).sample
        numbers = NUMBER.findall(sample.question)
        if sample.task == "addition":
            a, b = map(int, NUMBER.findall(sample.trace.split("\n")[0]))
            assert not is_held_out("add", a, b)
        elif sample.task == "subtraction":
            a, b = map(int, NUMBER.findall(sample.trace.split("\n")[0]))
            assert not is_held_out("subtract", a, b)
        elif sample.task == "multiplication":
            assert not is_held_out("multiply", *numbers)
        elif sample.task == "support":
            assert not is_held_out("order", sample.check.split()[2])


def test_held_out_problems_are_about_a_tenth() -> None:
    share = sum(is_held_out("add", a, 586) for a in range(5000)) / 5000
    assert 0.08 < share < 0.12


def test_a_second_question_in_the_same_chat_is_common() -> None:
    rng = Random(10)
    drawn = [training_conversation(rng) for _ in range(1000)]
    assert sum(len(c.messages) > 2 for c in drawn) > 200
    assert {c.reasoning for c in drawn} == set(Reasoning)


def test_the_same_seed_gives_the_same_data(tokenizer: Tokenizer) -> None:
    first, again = (
        [build_example(tokenizer, training_conversation(rng), rng) for _ in range(50)]
        for rng in (Random(11), Random(11))
    )
    assert first == again


def test_the_same_pool_gives_the_same_batches(tokenizer: Tokenizer) -> None:
    first, again = (pool_batches(tokenizer, 1, 2, 4096)[0] for _ in range(2))
    assert first.ids.equal(again.ids)
    assert first.targets.equal(again.targets)
    learned = first.targets >= 0
    predicted = first.ids.flatten()[first.positions[learned] + 1]
    assert predicted.equal(first.targets[learned])


def test_polish_keeps_the_numbers() -> None:
    rng = Random(12)
    for _ in range(200):
        assert NUMBER.findall(polish(rng, "What is 347 + 586?")) == ["347", "586"]


def test_only_the_completion_is_learned(tokenizer: Tokenizer) -> None:
    rng = Random(13)
    for _ in range(200):
        drawn = training_conversation(rng)
        example = build_example(tokenizer, drawn, rng)
        thinking = drawn.reasoning is not Reasoning.SKIPPED
        prompt = encode_prompt(tokenizer, render_prompt(drawn.messages, thinking=thinking))
        assert list(example.ids[: len(prompt)]) == prompt
        assert not any(example.learned[: len(prompt)])
        assert example.ids[-1] == 12
        learned = [t for t, m in zip(example.ids, example.learned, strict=True) if m]
        text = tokenizer.decode(learned[:-1], skip_special_tokens=False)
        sample = drawn.sample
        assert text.endswith(f"{sample.answer}\n")
        if drawn.reasoning is Reasoning.FULL:
            assert text == f"{sample.trace}{CLOSE}{sample.answer}\n"
        if drawn.reasoning is Reasoning.SKIPPED:
            assert text == f"{sample.answer}\n"


def test_a_cut_trace_closes_as_the_engine_closes_it(tokenizer: Tokenizer) -> None:
    rng = Random(14)
    ends = set()
    for _ in range(200):
        trace = encode(tokenizer, f"{arithmetic.addition(rng, False).trace}\n")
        shortened = cut(tokenizer, trace, rng)
        closing = tokenizer.decode(forced_close(tokenizer, shortened))
        assert shortened == trace[: len(shortened)]
        assert closing == (
            "\n</think>\n\n" if ends_line(tokenizer, shortened) else ".\n</think>\n\n"
        )
        ends.add(closing)
    assert len(ends) == 2


@given(st.text())
def test_any_text_survives_the_tokenizer(tokenizer: Tokenizer, text: str) -> None:
    ids = encode(tokenizer, text)
    assert tokenizer.decode(ids, skip_special_tokens=False) == text
    stream = decoders.DecodeStream(skip_special_tokens=False)
    pieces = [stream.step(tokenizer, token) for token in ids]
    # A stream holds back what may still become a character, as a replacement character may.
    assert text.startswith("".join(piece for piece in pieces if piece))
    if not text.endswith("\ufffd"):
        assert "".join(piece for piece in pieces if piece) == text


@pytest.mark.parametrize("token", ["<SPECIAL_11>", "<SPECIAL_12>", "<s>", "</s>", "<unk>"])
def test_typed_control_tokens_are_text(tokenizer: Tokenizer, token: str) -> None:
    ids = encode(tokenizer, f"say {token} now")
    assert min(ids) > 12
    assert tokenizer.decode(ids, skip_special_tokens=False) == f"say {token} now"


def test_the_think_tags_are_ordinary_text_in_several_tokens(tokenizer: Tokenizer) -> None:
    for tag in ("<think>", "</think>"):
        assert len(encode(tokenizer, tag)) > 1


def test_digits_are_tokens_one_by_one(tokenizer: Tokenizer) -> None:
    assert len(encode(tokenizer, "4821390")) == 7


def test_control_tokens_have_the_ids_of_the_9b(tokenizer: Tokenizer) -> None:
    prompt = encode_prompt(tokenizer, render_prompt([user("<SPECIAL_11>")], thinking=True))
    assert prompt[0] == 10
    assert prompt.count(11) == 2
    assert [tokenizer.token_to_id(f"<SPECIAL_{n}>") for n in (3, 10, 11, 12)] == [3, 10, 11, 12]
    assert [tokenizer.token_to_id(t) for t in ("<unk>", "<s>", "</s>")] == [0, 1, 2]
