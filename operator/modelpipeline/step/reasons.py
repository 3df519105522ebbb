"""Why a build ends without an image: every reason that fetch, assemble and push report, and whether waiting helps.

The operator shows them as the reason of ImageBuilt and Ready. The words are the contract; the messages are written
where the fault is understood.
"""

from __future__ import annotations

ASSEMBLE_USER_NEEDED = "AssembleUserNeeded"
"""The builder assembles as root or as another user than its own, and assembleUser does not say so."""

BUILDER_MOVED = "BuilderMoved"
"""The builder's tag was moved while the build ran; the next attempt starts over."""

BUILDER_NOT_FOUND = "BuilderNotFound"
"""The registry has no such builder image, or none for this platform."""

BUILD_FAILED = "BuildFailed"
"""assemble failed; the message is the end of its output."""

CA_INVALID = "CaBundleInvalid"
"""caConfigMapName names no ConfigMap with a PEM bundle under ca.crt."""

GIT_AUTH_FAILED = "GitAuthFailed"
"""The git server refused us, or has no such repository (servers do not say which)."""

GIT_UNREACHABLE = "GitUnreachable"
"""The git server did not answer, or not over a connection that is trusted."""

LAYER_REFUSED = "LayerRefused"
"""What assemble left is not put into an image: a device, a path that leaves the image, too large, ..."""

MISSING_S2I_ENVIRONMENT = "MissingS2IEnvironment"
"""The builder wants environment variables that neither env nor .s2i/environment gives."""

NOT_A_BUILDER = "NotABuilder"
"""The image has no s2i scripts that could be run."""

PATH_NOT_FOUND = "PathNotFound"
"""The source has no directory of that path."""

REF_NOT_FOUND = "RefNotFound"
"""The repository has no such branch, tag or commit."""

REGISTRY_DENIED = "RegistryDenied"
"""The registry refused to give or to take an image."""

REGISTRY_UNREACHABLE = "RegistryUnreachable"
"""The registry did not answer, or not over a connection that is trusted."""

SECRET_INVALID = "SecretInvalid"  # noqa: S105 - a reason, not a password
"""A secret is missing or holds other keys than it should."""

SOURCE_INVALID = "SourceInvalid"
"""The source cannot be built: an odd url or ref, a missing ConfigMap, an unreadable .s2i/environment."""

SOURCE_TOO_LARGE = "SourceTooLarge"
"""The source is larger than workspaceSize."""

STEP_FAILED = "BuildStepFailed"
"""A fault of ours or of the node; the log of the container has more."""

PASSING = frozenset({GIT_UNREACHABLE, REGISTRY_UNREACHABLE, BUILDER_MOVED, STEP_FAILED})
"""Faults of the moment: the same build may succeed later. All others need a person."""
