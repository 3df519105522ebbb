"""Where a run's model lies: the one place that knows the paths on the shared volume.

Each run has the directory `[subPath/]<pipeline>/<run id>` in the claim; MODEL_DIR names it (api.md, "storage").
"""

from __future__ import annotations

from modelpipeline.api.spec import Storage
from modelpipeline.kinds import job
from modelpipeline.stages import storage as storage_stage

DEFAULT_PATH = "/mnt/models"


def path(storage: Storage) -> str:
    """Return where the volume is mounted in pods."""
    return storage.mount_path or DEFAULT_PATH


def sub_path(pipeline: str, storage: Storage) -> str:
    """Return the directory of the claim that is mounted, "" for its root."""
    if storage.sub_path is not None:
        return storage.sub_path
    return pipeline if storage.claim_name else ""


def model_dir(pipeline: str, storage: Storage, run: str) -> str:
    """Return the run's directory as pods see it."""
    return f"{path(storage)}/{pipeline}/{run}"


def volume(pipeline: str, storage: Storage, run: str) -> job.Volume:
    """Return the mounts of a training pod."""
    below = sub_path(pipeline, storage)
    inside = f"{pipeline}/{run}"
    return job.Volume(
        claim=storage_stage.claim_name(pipeline, storage),
        mount_path=path(storage),
        sub_path=below,
        model_dir=model_dir(pipeline, storage, run),
        model_sub_path=f"{below}/{inside}" if below else inside,
    )
