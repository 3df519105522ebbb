"""The 1,797 handwritten digits that ship with scikit-learn, and the one place that says who may see which.

They are split by position, not by chance: the data set runs writer by writer, so the last 97 were written by people of
whom training saw little or nothing, and every program that asks gets the same three parts.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

HELD_OUT = 97  # the last so many digits: neither training nor the metric ever sees them


@dataclass(frozen=True)
class Part:
    """Some digits: 64 grey values from 0 to 16 each, row by row, and what the writer meant."""

    pixels: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Split:
    """The three parts. The metric is measured on ``validation``; ``held_out`` is for whoever judges the server."""

    train: Part
    validation: Part
    held_out: Part


def load(seed: int = 0) -> Split:
    """Split the digits: the tail is held out, a fifth of the rest (drawn by ``seed``) is for validation."""
    digits = load_digits()
    pixels, labels = digits.data, digits.target
    seen, seen_labels = pixels[:-HELD_OUT], labels[:-HELD_OUT]
    train, validation, train_labels, validation_labels = train_test_split(
        seen, seen_labels, test_size=0.2, random_state=seed, stratify=seen_labels
    )
    return Split(
        train=Part(train, train_labels),
        validation=Part(validation, validation_labels),
        held_out=Part(pixels[-HELD_OUT:], labels[-HELD_OUT:]),
    )


def fingerprint(part: Part) -> str:
    """Name a part by its content, so that two programs can tell that they speak of the same digits."""
    text = ";".join(
        f"{label}:{','.join(str(int(value)) for value in row)}"
        for row, label in zip(part.pixels, part.labels, strict=True)
    )
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
