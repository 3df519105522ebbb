"""Pipelines for a real node: each block as small as it may be, so that a whole run takes seconds.

Here: specs, values only. Elsewhere: what becomes of them (the tests), the sources that builds take (`place`).
"""

from __future__ import annotations

from typing import Any

from tests.node import place

Object = dict[str, Any]

DOCKER_SECRET = "kubernetes.io/dockerconfigjson"


def pipeline(name: str, **spec: Any) -> Object:
    """Return a pipeline; blocks that are None are left out."""
    return {
        "apiVersion": "modelpipeline.dev/v1alpha1",
        "kind": "ModelPipeline",
        "metadata": {"name": name},
        "spec": {block: value for block, value in spec.items() if value is not None},
    }


def storage(**more: Any) -> Object:
    """Return a volume of its own."""
    return {"size": "1Gi", "accessModes": ["ReadWriteOnce"], **more}


def train(at: place.Place, epochs: int = 5, **more: Any) -> Object:
    """Return the example's trainer: real data, a real classifier, few epochs."""
    return {"image": at.images["train"], "args": ["--epochs", str(epochs)], **more}


def script(at: place.Place, text: str, **more: Any) -> Object:
    """Return a trainer that runs a few lines of Python and no more."""
    return {"image": at.images["train"], "command": ["python3", "-c", text], **more}


def build(at: place.Place, image: str, *, path: str = "plain", builder: str = "plain", **more: Any) -> Object:
    """Return an s2i build from the git server, whose CA the ConfigMap git-ca holds."""
    return {
        "name": "server",
        "source": {"git": {"url": at.git, "ref": "main"}, "path": path},
        "builderImage": at.images[builder],
        "image": image,
        "caConfigMapName": "git-ca",
        "backoffLimit": 0,
        **more,
    }


def deploy(**more: Any) -> Object:
    """Return a server of the built image."""
    return {"imageFrom": "server", **more}
