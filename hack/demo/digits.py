"""The held-out digits: which one to ask about, and how a digit and ten probabilities look in a terminal.

Pure text, the same in colour and in black and white. Who asks the server: ask.py.
"""

import json
import pathlib
from collections.abc import Sequence
from dataclasses import dataclass

from hack.demo import faults

SIDE = 8
DARKEST = 16
BAR = 30  # columns of a probability of one


@dataclass(frozen=True)
class Digit:
    """One handwritten digit: 64 grey values row by row, and what its writer meant."""

    label: int
    pixels: tuple[int, ...]


@dataclass(frozen=True)
class HeldOut:
    """The digits that training never sees, with the name of their content that training reports as well."""

    fingerprint: str
    digits: tuple[Digit, ...]

    def pick(self, number: int) -> Digit:
        """Return one of them by its number from 0."""
        if not 0 <= number < len(self.digits):
            raise faults.DemoError(f"there is no digit {number}: choose --digit 0 to {len(self.digits) - 1}")
        return self.digits[number]


@dataclass(frozen=True)
class Shades:
    """Characters from light to dark, and the one of a bar."""

    grey: str
    bar: str


BLOCKS = Shades(" ░▒▓█", "█")
ASCII = Shades(" .+*#", "#")


def shades(encoding: str) -> Shades:
    """Choose characters that the terminal's encoding knows."""
    return BLOCKS if "utf" in encoding.lower() else ASCII


def load(file: pathlib.Path) -> HeldOut:
    """Read held-out.json of the example."""
    document = json.loads(file.read_text())
    return HeldOut(
        document["fingerprint"],
        tuple(Digit(entry["label"], tuple(entry["pixels"])) for entry in document["digits"]),
    )


def picture(digit: Digit, look: Shades) -> list[str]:
    """Draw a digit, two columns a pixel because characters are twice as high as wide, in a frame."""
    rows = [digit.pixels[start : start + SIDE] for start in range(0, SIDE * SIDE, SIDE)]
    edge = "+" + "-" * (2 * SIDE) + "+"
    steps = len(look.grey) - 1
    return [
        edge,
        *("|" + "".join(look.grey[round(value * steps / DARKEST)] * 2 for value in row) + "|" for row in rows),
        edge,
    ]


def bars(names: Sequence[str], probabilities: Sequence[float], look: Shades) -> list[str]:
    """Draw one bar a class, the likeliest marked."""
    best = likeliest(probabilities)
    return [
        f"{'>' if index == best else ' '} {name} {look.bar * round(value * BAR):<{BAR}} {value * 100:6.2f} %"
        for index, (name, value) in enumerate(zip(names, probabilities, strict=True))
    ]


def beside(left: Sequence[str], right: Sequence[str], gap: int = 4) -> list[str]:
    """Put two blocks of lines next to each other, centred on each other."""
    height = max(len(left), len(right))
    width = max((len(line) for line in left), default=0)
    lines = zip(_centred(left, height), _centred(right, height), strict=True)
    return [f"{one:<{width}}{' ' * gap}{other}".rstrip() for one, other in lines]


def likeliest(probabilities: Sequence[float]) -> int:
    """Return the index of the highest probability."""
    return max(range(len(probabilities)), key=probabilities.__getitem__)


def _centred(lines: Sequence[str], height: int) -> list[str]:
    above = (height - len(lines)) // 2
    return [""] * above + list(lines) + [""] * (height - len(lines) - above)
