"""Acceptance case 72 on a real node: what assemble leaves is no layer, or another than it seems; nothing is pushed.

All builds run side by side; each test looks at one. The attacks on the files themselves (a link to the registry's
config.json, a pipe, 20 GB, ...) are in tests/node/test_build_layers.py; what the pure reader refuses, in
tests/unit/step/test_layer.py; lists that fill the memory, in test_hostile_lists.py.
"""

from __future__ import annotations

import pytest

from modelpipeline.kinds.buildpod import ASSEMBLE
from tests.attacks import yard as yards

ARCHIVES = (
    *("device", "absolute", "twice", "hard-link-inside", "below-a-link", "opaque", "sparse", "another-than-listed"),
    *("pax-name", "pax-size", "pax-sparse", "long-name"),
)
ATTACKS = (*(f"archive-{name}" for name in ARCHIVES), "locked")


@pytest.fixture(scope="module")
def ended(yard: yards.Yard) -> dict[str, yards.Ended]:
    """Give the ends of all attacks."""
    builder = yard.builder("hostile")
    for attack in ATTACKS:
        source = yard.files(attack, {"attack": attack})
        # Only root can lock a folder against the user of push.
        more = {"assemble_user": 0} if attack == "locked" else {}
        yard.start(attack, builder, source, push_secret="regcred", **more)
    return {attack: yard.end(attack) for attack in ATTACKS}


@pytest.mark.parametrize("attack", ATTACKS)
def test_case_72_what_is_no_layer_is_refused(yard: yards.Yard, ended: dict[str, yards.Ended], attack: str) -> None:
    build = ended[attack]
    told = f"{build.seen.message}\n{build.logs}"
    assert (build.seen.reason, build.seen.result) == ("LayerRefused", None), told
    assert build.tags == {}, "nothing is pushed, no tag moves"
    assembled = next(one for one in build.pod["status"]["initContainerStatuses"] if one["name"] == ASSEMBLE)
    assert assembled["state"]["terminated"]["exitCode"] == 0, "push refused it, not assemble"
    assert build.seen.message.isprintable()
    assert yards.leaked(told + yard.everything()) == []
