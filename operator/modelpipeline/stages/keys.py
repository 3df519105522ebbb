"""Keys: hashes of spec strings, known without asking anyone.

Here: what training and a run depend on (api.md, "Runs"). Not in a key: resources, time-outs, storage, deploy; changing
them starts no run. Elsewhere: what follows from a changed key (stages/run.py).
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from modelpipeline.api.spec import Build, Spec

_UNTOLD = {"resources", "timeoutSeconds", "backoffLimit", "workspaceSize"}


def run_key(spec: Spec) -> str:
    """Return the hash of everything that a run depends on: training, builds and the gate."""
    builds = [_entry(build) for build in spec.build or ()]
    gate = [item.model_dump(by_alias=True, exclude_none=True, mode="json") for item in spec.gate or ()]
    return _hash({"train": _train(spec), "build": builds, "gate": gate, "parameters": spec.parameters or {}})


def train_key(spec: Spec) -> str:
    """Return the hash of everything that training depends on, empty without training.

    Where a build makes the trainer, its entry stands for its image: the digest is not known yet.
    """
    if not spec.train:
        return ""
    return _hash({"train": _train(spec), "parameters": spec.parameters or {}})


def build_key(build: Build, parameters: dict[str, str] | None) -> str:
    """Return the hash of everything in the spec that one image depends on."""
    return _hash({"build": _entry(build), "parameters": parameters or {}})


def fingerprint(bodies: Any) -> str:
    """Return the hash of any JSON value."""
    return _hash(bodies)


def _train(spec: Spec) -> dict[str, Any] | None:
    if not spec.train:
        return None
    told = spec.train.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True, mode="json")
    told = {key: value for key, value in told.items() if key not in _UNTOLD}
    maker = next((build for build in spec.build or () if build.name == spec.train.image_from), None)
    return {**told, "builtBy": _entry(maker)} if maker else told


def _entry(build: Build) -> dict[str, Any]:
    told = build.model_dump(by_alias=True, exclude_none=True, mode="json")
    return {key: value for key, value in told.items() if key not in _UNTOLD}


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
