"""The operator in a cluster with policies: it writes its status unasked, and holds to the limits by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hack.cluster import cluster
from tests.support import manifests, operating, process
from tests.support.kubectl import Kubectl
from tests.tenancy import asking

Object = dict[str, Any]


@pytest.fixture
def operator(
    api_cluster: cluster.Cluster, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> Iterator[process.Operator]:
    """Give an operator of the test's namespace, not started yet."""
    made = process.Operator(operating.admitted(api_cluster, kubectl), [namespace], tmp_path / "operator.log")
    yield made
    made.end()


def _ready(restricted: asking.Place, namespace: str) -> tuple[str, str, str]:
    status = (restricted.there(namespace, "digits") or {}).get("status") or {}
    found = [one for one in status.get("conditions") or [] if one["type"] == "Ready"]
    return (found[0]["status"], found[0]["reason"], found[0]["message"]) if found else ("", "", "")


def test_what_came_before_the_policy_is_not_carried_out_until_it_is_allowed(
    restricted: asking.Place, kubectl: Kubectl, namespace: str, operator: process.Operator
) -> None:
    # The operator may not read this Secret either; its status is written all the same.
    train = manifests.train(envFrom=[{"secretRef": {"name": "theirs"}}])
    restricted.make(namespace, manifests.pipeline("digits", train=train))

    with operator.like(image_prefixes="elsewhere.example,mirror.example/{namespace}"):
        asking.soon(lambda: _ready(restricted, namespace)[1] == "NotAllowed")
        status, _, message = _ready(restricted, namespace)
        assert status == "False"
        assert message == (
            "spec.train.image: registry.example/train:1 is below none of the prefixes that are allowed here: "
            f"elsewhere.example, mirror.example/{namespace}; take an image from there; "
            f"kubectl edit mpl digits -n {namespace}"
        )
        assert kubectl.json("get", "jobs", "-n", namespace)["items"] == []

    with operator.like(refused_namespaces=f"kube-system,{namespace}"):
        asking.soon(lambda: "no pipeline may be in namespace" in _ready(restricted, namespace)[2])
        assert kubectl.json("get", "jobs", "-n", namespace)["items"] == []

    with operator.like():
        asking.soon(lambda: kubectl.json("get", "jobs", "-n", namespace)["items"])
        asking.soon(lambda: _ready(restricted, namespace)[1] not in ("", "NotAllowed"))
