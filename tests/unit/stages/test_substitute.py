"""$(...): which names are replaced, which are left alone, and that a value is never read again."""

from __future__ import annotations

import pytest

from modelpipeline import errors
from modelpipeline.stages import substitute
from modelpipeline.stages.substitute import Values

KNOWN = Values({"params.epochs": "5", "params.nested": "$(params.epochs)", "run.id": "1-abc", "params.a.b": "dotted"})


@pytest.mark.parametrize(
    ("text", "result"),
    [
        pytest.param("$(params.epochs)", "5", id="a name of ours is replaced"),
        pytest.param("--e=$(params.epochs)/$(run.id)", "--e=5/1-abc", id="as often as it stands there"),
        pytest.param("$(HOME)", "$(HOME)", id="a name of Kubernetes' is left to Kubernetes"),
        pytest.param("$(paramsepochs)", "$(paramsepochs)", id="so is one that only looks like ours"),
        pytest.param("$$(params.epochs)", "$(params.epochs)", id="two dollars yield the literal"),
        pytest.param("$$$(params.epochs)", "$$(params.epochs)", id="three dollars: one stays before the literal"),
        pytest.param("$(params.nested)", "$(params.epochs)", id="one pass: a value is not substituted again"),
        pytest.param("$(params.a.b)", "dotted", id="names may hold dots"),
        pytest.param("$(params.epochs", "$(params.epochs", id="an open parenthesis is no reference"),
        pytest.param("cost: 5$", "cost: 5$", id="a dollar is a dollar"),
    ],
)
def test_what_is_replaced(text: str, result: str) -> None:
    assert substitute.text(text, KNOWN, "spec.train.args[0]") == result


def test_an_unknown_name_of_ours_is_an_error_that_names_the_field() -> None:
    with pytest.raises(errors.Stalled) as caught:
        substitute.text("$(params.epoch)", KNOWN, "spec.train.args[1]")
    assert caught.value.reason == "InvalidSpec"
    assert "spec.train.args[1]" in caught.value.message
    assert "$(params.epoch)" in caught.value.message


def test_names_that_are_not_known_yet_yield_a_placeholder() -> None:
    assert substitute.text("$(outputs.uri)", Values({}, frozenset({"outputs"})), "spec.deploy.env[URI]") == "0"
