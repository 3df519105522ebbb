"""Names of children: a function of what they are for, never too long, never another's."""

from __future__ import annotations

import hypothesis
from hypothesis import strategies as st

from modelpipeline.api import names, reasons

LABEL = st.from_regex(r"\A[a-z]([-a-z0-9]{0,50}[a-z0-9])?\Z")


@hypothesis.given(LABEL, st.integers(1, 10**9), st.from_regex(r"\A(train|build-[a-z0-9]{1,18})\Z"), st.integers(0, 100))
def test_case_62_a_childs_name_is_a_dns_label_of_at_most_63(name: str, number: int, step: str, attempt: int) -> None:
    child = names.child(name, "uid", number, step, "key", attempt)
    assert len(child) <= 63
    assert child[0].isalpha()
    assert child[-1].isalnum()
    assert ".." not in child


def test_every_input_makes_another_name() -> None:
    same = ("digits", "uid", 1, "train", "key", 0)
    others = [(*same[:i], other, *same[i + 1 :]) for i, other in enumerate(("x", "u2", 2, "train2", "k2", 1))]
    assert len({names.child(*parts) for parts in (same, *others)}) == 7  # type: ignore[arg-type]


def test_a_run_of_another_incarnation_is_another_run() -> None:
    assert names.run_id("one", 1) != names.run_id("other", 1)


def test_parts_of_a_hash_cannot_run_into_each_other() -> None:
    assert names.digest8("ab", "c") != names.digest8("a", "bc")


def test_every_reason_is_one_camel_case_word_with_a_meaning() -> None:
    for reason in reasons.TABLE:
        assert reason.name.isalnum()
        assert reason.name[0].isupper()
        assert len(reason.name) <= 64
        assert reason.meaning.endswith(".")
    assert len(reasons.BY_NAME) == len(reasons.TABLE)
