"""Labels, annotations and the names of children: every name that we write is made here.

A child's name is a function of the pipeline's uid, run number, step, its key and the attempt, so a repeated create is
a 409 and never a second child, and an object of an earlier incarnation can never be mistaken for ours
(architecture.md, table of writes; kubernetes/kubernetes#131917).
"""

from __future__ import annotations

import hashlib

GROUP = "modelpipeline.dev"

MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "modelpipeline-operator"
PIPELINE = f"{GROUP}/pipeline"
RUN = f"{GROUP}/run"
STEP = f"{GROUP}/step"
REVISION = f"{GROUP}/revision"

SELECTOR = PIPELINE
"""Server-side label selector of every child kind: the label exists."""

NO_SIDECAR = {"sidecar.istio.io/inject": "false"}
"""A mesh sidecar never ends, so a Job or a build pod with one would never complete."""

PIPELINE_NAME_LIMIT = 52
LABEL_LIMIT = 63


def digest8(*parts: str) -> str:
    """Return eight hexadecimal characters of a hash over the parts; a NUL between them keeps them apart."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]


def run_id(pipeline_uid: str, number: int) -> str:
    """Return `<number>-<hash8>`: unique across incarnations of a pipeline of the same name."""
    return f"{number}-{digest8(pipeline_uid, str(number))}"


def child(pipeline: str, pipeline_uid: str, number: int, step: str, key: str, attempt: int = 0) -> str:
    """Return `<pipeline, cut>-<step>-<hash8>`, at most 63 characters."""
    tail = f"-{step}-{digest8(pipeline_uid, str(number), step, key, str(attempt))}"
    return pipeline[: LABEL_LIMIT - len(tail)].rstrip("-.") + tail


def claim(pipeline: str) -> str:
    """Return the name of the claim that we create: one a pipeline, kept across runs."""
    return f"{pipeline}-models"


def child_labels(pipeline: str, run: str, step: str) -> dict[str, str]:
    """Return the labels of every child; `run` is empty for what outlives runs (claim and server)."""
    labels = {MANAGED_BY: MANAGER, PIPELINE: pipeline, STEP: step}
    return {**labels, RUN: run} if run else labels
