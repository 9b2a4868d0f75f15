"""Written arithmetic, one digit a line.

A model this small cannot do a whole partial product in one step, but it can do a digit, a carry
and one more digit in front of what it has so far. Every step ends in the result so far.

Numbers of different lengths are hard to line up for a model without positions that reads them
from the left, so both are first spelled out with the names of their places; each step then looks
its digits up by name.
"""

PLACES = ("ones", "tens", "hundreds", "thousands", "ten thousands", "hundred thousands")


def spelled(number: int) -> str:
    """Return the digits of a number with their places, the highest first."""
    digits = str(number)
    places = PLACES[len(digits) - 1 :: -1] if len(digits) > 1 else PLACES[:1]
    return " ".join(f"{digit} {place}" for digit, place in zip(digits, places, strict=True))


def add_steps(a: int, b: int) -> list[str]:
    """Add two non-negative numbers from the ones upwards."""
    lines, carry, so_far = [spelled(a), spelled(b)], 0, ""
    first, second = str(a)[::-1], str(b)[::-1]
    for place in range(max(len(first), len(second))):
        digits = [number[place] for number in (first, second) if place < len(number)]
        terms = digits + ["1"] * carry
        total = sum(map(int, terms))
        last = place == max(len(first), len(second)) - 1
        carry = int(total > 9 and not last)
        so_far = (str(total) if last else str(total % 10)) + so_far
        note = ", carry 1" if carry else ""
        lines.append(f"{PLACES[place]}: {'+'.join(terms)}={total}{note} -> {so_far}")
    return lines


def subtract_steps(a: int, b: int) -> list[str]:
    """Subtract `b` from `a`, which is not smaller, from the ones upwards."""
    lines, borrow, so_far = [spelled(a), spelled(b)], 0, ""
    first, second = str(a)[::-1], str(b)[::-1]
    for place, digit in enumerate(first):
        terms = [*second[place : place + 1], *["1"] * borrow]
        taken = sum(map(int, terms))
        borrow = int(int(digit) < taken)
        top = int(digit) + 10 * borrow
        so_far = str(top - taken) + so_far
        # The digits come first as they are; whether they need a borrow is seen with both in view.
        work = "-".join([digit, *terms])
        if borrow:
            work += f", borrow 1, {'-'.join([str(top), *terms])}"
        lines.append(f"{PLACES[place]}: {work}={top - taken} -> {so_far}")
    if so_far != str(int(so_far)):
        lines.append(f"{so_far} = {int(so_far)}")
    return lines


def difference_steps(a: int, b: int) -> list[str]:
    """Subtract any two non-negative numbers; a negative result by turning them round."""
    if a >= b:
        return subtract_steps(a, b)
    turned = [f"{a} < {b}, so -({b} - {a})", *subtract_steps(b, a)]
    return [*turned, f"-{b - a}"]


def multiply_steps(a: int, b: int) -> list[str]:
    """Multiply by each digit of `b` from the ones upwards, and add the rows."""
    lines = [spelled(a)]
    rows: list[int] = []
    for place, digit in enumerate(map(int, str(b)[::-1])):
        if digit:
            lines += _row_steps(a, digit, "0" * place)
            rows.append(a * digit * 10**place)
    total = rows[0]
    for row in rows[1:]:
        lines += [f"{total} + {row}", *add_steps(total, row)]
        total += row
    return lines


def _row_steps(a: int, digit: int, zeros: str) -> list[str]:
    lines, carry, so_far = [f"{a} * {digit}{zeros}"], 0, zeros
    digits = str(a)[::-1]
    for place, other in enumerate(digits):
        product = digit * int(other)
        total = product + carry
        work = f"{digit}*{other}={product}" + (f", {product}+{carry}={total}" if carry else "")
        last = place == len(digits) - 1
        carry = 0 if last else total // 10
        so_far = (str(total) if last else str(total % 10)) + so_far
        note = f", carry {carry}" if carry else ""
        lines.append(f"{PLACES[place]}: {work}{note} -> {so_far}")
    return lines


def divide_steps(a: int, b: int) -> list[str]:
    """Divide without remainder, from the highest digit down."""
    lines, rest, so_far = [], 0, ""
    for digit in str(a):
        part = rest * 10 + int(digit)
        quotient, rest = divmod(part, b)
        if quotient or so_far:
            so_far += str(quotient)
            lines.append(f"{part}/{b}={quotient}, rest {rest} -> {so_far}")
    return lines
