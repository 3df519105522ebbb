"""What an administrator may allow, and what is refused then: the same answers from admission and from the operator.

Here: images and specs, values only. Elsewhere: who is asked (tests/unit/stages, tests/tenancy).
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import make

Object = dict[str, Any]

NAMESPACE = "team-a"
"""What {namespace} stands for in these cases."""
HUB = "docker.io/library"

IMAGES = (
    ("registry.example/team-a/x:1", "registry.example/team-a", True),
    ("registry.example/team-a:1", "registry.example/team-a", True),
    ("registry.example/team-a/x@sha256:" + "a" * 64, "registry.example/team-a/", True),
    ("registry.example/team-a/b/c", "registry.example/{namespace}", True),
    ("registry.example:5000/team-a/x:1", "registry.example:5000", True),
    ("ubuntu", HUB, True),
    ("ubuntu:22.04", "docker.io", True),
    ("docker.io/ubuntu", HUB, True),
    ("index.docker.io/ubuntu", HUB, True),
    ("seldonio/x:1", "docker.io/seldonio", True),
    ("index.docker.io/seldonio/x", "docker.io/seldonio", True),
    ("localhost/x", "localhost", True),
    ("localhost:5000/x", "localhost:5000", True),
    ("registry.example/team-ab/x", "registry.example/team-a", False),
    ("registry.example/team-a-b/x", "registry.example/team-a", False),
    ("registry.example/team-a.b/x", "registry.example/team-a", False),
    ("registry.example/team-a/../b", "registry.example/team-a", False),
    ("registry.example/team-a/./b", "registry.example/team-a", False),
    ("registry.example/team-a//b", "registry.example/team-a", False),
    ("registry.example/team-a/", "registry.example/team-a", False),
    ("registry.example/team-b/x", "registry.example/{namespace}", False),
    ("registry.example.evil/team-a/x", "registry.example", False),
    ("registry.example:5000/team-a/x", "registry.example/team-a", False),
    ("registry.example:team-a/x", "registry.example", False),
    ("evil.example/registry.example/team-a/x", "registry.example/team-a", False),
    ("registry.example@evil.example/team-a/x", "registry.example", False),
    ("Registry.Example/team-a/x", "registry.example/team-a", False),
    ("TEAM/x", "docker.io/TEAM", False),
    ("ubuntu", "docker.io/seldonio", False),
    ("team-a/x", "docker.io/team", False),
    ("x:1/registry.example", "registry.example", False),
    ("registry.example/team-a/x:1:2", "registry.example/team-a", False),
    ("registry.example/$(params.team)/x", "registry.example", False),
    ("registry.example/team-a/%2e%2e/b", "registry.example/team-a", False),
    ("registry.example/team-a\u2044x", "registry.example", False),
    ("registry.example/team-a/x\n", "registry.example/team-a", False),
    ("", "docker.io", False),
)
"""An image, the one prefix, and whether it is allowed."""

TRAIN = {"image": "registry.example/train:1"}
MEMORY = (("memory", "16Gi"),)
GPU = (("nvidia.com/gpu", "2"),)


def limited(**amounts: Any) -> Object:
    """Return a trainer with these limits."""
    return {"train": {**TRAIN, "resources": {"limits": amounts}}}


SPECS = (
    pytest.param({"train": TRAIN}, {}, "", id="no limits"),
    pytest.param({"train": TRAIN}, {"image_prefixes": ("registry.example",)}, "", id="below the prefix"),
    pytest.param(
        {"train": TRAIN},
        {"image_prefixes": ("registry.example/{namespace}",)},
        "spec.train.image: registry.example/train:1 is below none of the prefixes that are allowed here: "
        "registry.example/team-a; take an image from there",
        id="an image from elsewhere",
    ),
    pytest.param(
        {"build": [{**make.BUILD, "builderImage": "registry.example/b"}]},
        {"image_prefixes": ("registry.example/b",)},
        "spec.build[server].image: registry.example/digits is below none",
        id="a push to elsewhere",
    ),
    pytest.param(
        {"train": TRAIN},
        {"resources": MEMORY},
        "spec.train.resources.limits: memory is missing, at most 16Gi is allowed",
        id="memory without a limit",
    ),
    pytest.param({"train": TRAIN}, {"resources": GPU}, "", id="no GPU is none"),
    pytest.param(limited(memory="16Gi"), {"resources": MEMORY}, "", id="as much as is allowed"),
    pytest.param(
        limited(memory="16385Mi"),
        {"resources": MEMORY},
        "spec.train.resources.limits: memory 16385Mi is more than the 16Gi that is allowed",
        id="a little more, in another unit",
    ),
    pytest.param(limited(memory=17179869185), {"resources": MEMORY}, "memory 17179869185 is more", id="a number"),
    pytest.param(limited(**{"nvidia.com/gpu": "3"}), {"resources": GPU}, "nvidia.com/gpu 3 is more", id="a GPU more"),
    pytest.param(
        {"train": {**TRAIN, "resources": {"limits": {"memory": "1Gi"}, "requests": {"memory": "17Gi"}}}},
        {"resources": MEMORY},
        "spec.train.resources.requests: memory 17Gi is more",
        id="a request",
    ),
    pytest.param(
        {**limited(memory="1Gi"), "deploy": {"image": "x"}},
        {"resources": MEMORY},
        "spec.deploy.resources.limits: memory is missing",
        id="the server as well",
    ),
    pytest.param(
        {"train": TRAIN, "storage": {"size": "11Gi"}},
        {"storage": "10Gi"},
        "spec.storage.size: 11Gi is more than the 10Gi that is allowed here",
        id="a large volume",
    ),
    pytest.param(
        {"build": [make.BUILD]},
        {"storage": "5Gi"},
        "spec.build[server].workspaceSize: 10Gi is more",
        id="a workspace of the default size",
    ),
    pytest.param(
        {"deploy": {"image": "x", "replicas": 4}},
        {"replicas": 3},
        "spec.deploy.replicas: 4 is more than the 3 that are allowed here",
        id="many servers",
    ),
    pytest.param({"deploy": {"image": "x"}}, {"replicas": 1}, "", id="one server unsaid"),
)
"""A spec, what is allowed, and the beginning of what is said; empty when it passes."""


def limits_of(case: Any) -> Object:
    """Return what is allowed in one of SPECS."""
    limits: Object = case.values[1]
    return limits
