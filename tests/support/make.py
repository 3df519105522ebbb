"""Objects for tests, complete enough to be accepted; keywords replace what a test is about."""

from __future__ import annotations

from typing import Any

TRAIN = {"image": "registry.example/digits-train:1"}
BUILD = {
    "name": "server",
    "source": {"git": {"url": "https://git.example/digits.git"}},
    "builderImage": "registry.example/digits-builder:1",
    "image": "registry.example/digits",
}


def pipeline(name: str = "digits", **spec: Any) -> dict[str, Any]:
    """Return a ModelPipeline; without blocks it only trains."""
    return {
        "apiVersion": "modelpipeline.dev/v1alpha1",
        "kind": "ModelPipeline",
        "metadata": {"name": name},
        "spec": spec or {"train": dict(TRAIN)},
    }
