"""The demo's digit is one that training never saw, and looks like one in any terminal."""

import hashlib
import pathlib
import re

import pytest

from hack.demo import digits, faults

EXAMPLE = pathlib.Path(__file__).parents[3] / "examples" / "digits"


def test_the_held_out_digits_are_those_that_training_names() -> None:
    """examples/digits/train computes the same fingerprint over what it set aside and reports it as an output."""
    held_out = digits.load(EXAMPLE / "held-out.json")
    text = ";".join(f"{digit.label}:{','.join(map(str, digit.pixels))}" for digit in held_out.digits)
    assert held_out.fingerprint == "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    assert len(held_out.digits) == 97
    assert all(len(digit.pixels) == 64 and set(digit.pixels) <= set(range(17)) for digit in held_out.digits)
    assert {digit.label for digit in held_out.digits} == set(range(10))


def test_trainer_and_server_have_the_same_libraries() -> None:
    """A pickled model is read only by the versions that wrote it."""
    pinned = [
        {line for line in (EXAMPLE / room / "requirements.txt").read_text().splitlines() if re.match(r"\w", line)}
        for room in ("train", "builder")
    ]
    assert pinned[0] <= pinned[1]
    assert all("==" in line for part in pinned for line in part)


ONE = digits.Digit(1, (0, 0, 0, 16, 16, 0, 0, 0) * 8)


@pytest.mark.parametrize(
    ("encoding", "row"),
    [("utf-8", "|      ████      |"), ("iso-8859-1", "|      ####      |")],
    ids=["blocks", "ASCII"],
)
def test_a_digit_is_a_square_picture(encoding: str, row: str) -> None:
    drawn = digits.picture(ONE, digits.shades(encoding))
    assert drawn[1:-1] == [row] * 8
    assert {len(line) for line in drawn} == {18}


def test_probabilities_are_bars_with_the_likeliest_marked() -> None:
    lines = digits.bars(["no", "yes"], [0.1, 0.9], digits.ASCII)
    assert lines == [f"  no {'###':<30}  10.00 %", f"> yes {'#' * 27:<30}  90.00 %"]


def test_blocks_stand_side_by_side_at_the_same_middle() -> None:
    assert digits.beside(["aa"], ["1", "2", "3"], gap=1) == ["   1", "aa 2", "   3"]


def test_a_number_that_is_none_of_them_is_told_with_the_range() -> None:
    with pytest.raises(faults.DemoError, match=re.escape("--digit 0 to 0")):
        digits.HeldOut("", (ONE,)).pick(1)
