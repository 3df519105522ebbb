"""What the tests of the cluster tool share: names of their own and a way to run it as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator

import pytest

from hack.cluster import binaries, cluster
from tests.support import clusters

Tool = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def new_name(request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """Give names for clusters; whatever came up under them is ended after the test."""
    # The first build of the binaries takes minutes: it happens here, where no test's time runs.
    of_node = binaries.NODE if request.node.get_closest_marker("node") else ()
    binaries.ensure(binaries.CONTROL_PLANE + of_node)
    given = []

    def give() -> str:
        given.append(f"test-{uuid.uuid4().hex[:10]}")
        return given[-1]

    yield give
    for name in given:
        cluster.down(name)


@pytest.fixture
def tool() -> Iterator[Tool]:
    """Start the command line as a process of its own, in an environment that a test may change."""
    started = []

    def start(*words: str, before: tuple[str, ...] = (), **environment: str | None) -> subprocess.Popen[str]:
        merged = {**os.environ, **environment}
        started.append(
            subprocess.Popen(
                [*before, sys.executable, "-m", "hack.cluster", *words],
                cwd=clusters.ROOT,
                env={name: value for name, value in merged.items() if value is not None},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()
