"""What of a Dockerfile reaches an engine that would build everything above the target."""

from __future__ import annotations

import pytest

from hack.cluster.trouble import Trouble
from hack.images import stages

HEAD = "ARG BASE=x\n"
TOOLS = "FROM ${BASE} AS tools\nRUN make\n"
PROGRAM = "FROM --platform=linux/amd64 scratch AS program\nCOPY --from=tools /made /made\n"
CHILD = "from program as child\nUSER 1\n"
OTHER = "FROM ${BASE} AS other\nCOPY crane /crane\n"
ALL = HEAD + TOOLS + PROGRAM + CHILD + OTHER


@pytest.mark.parametrize(
    ("target", "kept"),
    [
        pytest.param("tools", HEAD + TOOLS, id="a first stage stands alone"),
        pytest.param("program", HEAD + TOOLS + PROGRAM, id="what is copied from belongs to it"),
        pytest.param(
            "child", HEAD + TOOLS + PROGRAM + CHILD, id="what is built on belongs to it, however it is spelled"
        ),
        pytest.param("other", HEAD + OTHER, id="what only stands above does not"),
        pytest.param("", ALL, id="without a target all of it"),
    ],
)
def test_a_target_keeps_what_it_comes_from(target: str, kept: str) -> None:
    assert stages.needed(ALL, target) == kept


def test_a_target_that_is_not_there_is_named() -> None:
    with pytest.raises(Trouble, match="no stage 'nothing'"):
        stages.needed(ALL, "nothing")
