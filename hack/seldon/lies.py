"""The behaviours that a test can ask of the stand-in, for one SeldonDeployment or for all."""

import enum

ANNOTATION = "hack.modelpipeline.dev/lie"


class Lie(enum.StrEnum):
    """What the status will claim; everything but NONE was seen of the real operator."""

    # What the real one does: a false Available for an instant after each update, no end to a bad roll-out.
    REAL = "real"
    # Available only when the Deployments are complete. Nobody's operator; to tell a test's own faults from Seldon's.
    NONE = "none"
    # The false Available after an update stays until another behaviour is chosen.
    STALE_AVAILABLE = "stale-available"
    # Never anything but Creating, whatever the Deployments do.
    CREATING = "creating"
    # A bad update: Failed with a reason, Ready still True, nothing touched, the old pods serve on.
    FAILED_WITH_READY_TRUE = "failed-with-ready-true"
    # Another operator's namespace, or none at all: no object and no status, ever.
    SILENT = "silent"


def of(annotation: str | None, default: Lie) -> Lie:
    """Read the annotation; a word that is none of ours means the default."""
    try:
        return Lie(annotation) if annotation else default
    except ValueError:
        return default
