"""Pipelines as users write them, in the words of the acceptance cases, and what played containers say.

Here: specs and messages, values only. Elsewhere: what becomes of them (tests/acceptance).
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from tests.support import podstatus

Object = dict[str, Any]

BUILDER = "registry.example/builder:1"


def pipeline(name: str, **spec: Any) -> Object:
    """Return a pipeline."""
    return {
        "apiVersion": "modelpipeline.dev/v1alpha1",
        "kind": "ModelPipeline",
        "metadata": {"name": name},
        "spec": spec,
    }


def storage(**more: Any) -> Object:
    """Return the volume of acceptance case 1."""
    return {"size": "2Gi", "accessModes": ["ReadWriteMany"], "mountPath": "/mnt/parameters", **more}


def train(**more: Any) -> Object:
    """Return a trainer that reports JSON."""
    return {"image": "registry.example/train:1", "command": ["python"], "args": ["train.py"], **more}


def build(name: str = "server", **more: Any) -> Object:
    """Return an s2i build from git whose builder asks for nothing."""
    return {
        "name": name,
        "source": {"git": {"url": "https://git.example/model.git", "ref": "main"}},
        "builderImage": BUILDER,
        "image": f"registry.example/{name}",
        **more,
    }


def digits(name: str = "digits", **changes: Any) -> Object:
    """Return a pipeline of all three steps with a gate, as in the README; `changes` replace blocks of it."""
    spec: Object = {
        "storage": {"size": "1Gi", "accessModes": ["ReadWriteOnce"]},
        "train": train(),
        "gate": [{"metric": "accuracy", "min": "0.95"}],
        "build": [build()],
        "deploy": {"imageFrom": "server", "env": [{"name": "MODEL_DIR", "value": "$(model.dir)"}]},
        **changes,
    }
    return pipeline(name, **{block: value for block, value in spec.items() if value is not None})


def report(metrics: dict[str, Any] | None = None, outputs: dict[str, Any] | None = None) -> str:
    """Return what a trainer writes to its termination log."""
    return json.dumps({key: value for key, value in (("metrics", metrics), ("outputs", outputs)) if value})


def digest(text: str) -> str:
    """Return a digest, of whatever."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def pushed(image: str = "registry.example/server", builder: str = BUILDER, **more: Any) -> str:
    """Return what the push container of a build pod writes to its termination log."""
    told = {
        "digest": digest(image),
        "image": f"{image}@{digest(image)}",
        "commit": "8a1f0c2e" * 5,
        "builderDigest": podstatus.image_id(builder).rpartition("@")[2],
        "contentKey": digest(f"content of {image}"),
        "cached": False,
    }
    return json.dumps({**told, **more})
