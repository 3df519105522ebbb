"""Every place of a pipeline in which a name or an amount hides that its author may not be allowed to use.

Here: the one table of places, and the words that both readers of it need. A field that names a Secret, a claim or an
image, or that asks for an amount, is one line. Elsewhere: the admission policies that are made of it
(schema/admission.py), the operator's own check (stages/limits.py), what follows for people (docs/tenancy.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from modelpipeline.api import names


class Concern(Enum):
    """What stands in a place, and thereby what is asked of it."""

    SECRET = "Secret"  # noqa: S105 - the name of a kind
    CLAIM = "claim"
    SERVICE_ACCOUNT = "service account"
    IMAGE = "image to pull"
    REPOSITORY = "repository to push to"
    RESOURCES = "resources of one container"
    STORAGE_SIZE = "size of a volume"
    REPLICAS = "number of servers"
    LABELS = "labels"
    ANNOTATIONS = "annotations"
    PRIORITY_CLASS = "priority class"
    RUNTIME_CLASS = "runtime class"
    APPROVAL = "what only an approver may change"


@dataclass(frozen=True, slots=True)
class Place:
    """One field; `[]` in the path stands for the items of a list.

    `suffix`: the field holds no name itself, but brings about an object named by the pipeline's name and this suffix.
    `absent`: what an item of a list has that does not say this field. `key`: the one entry of a map that is meant.
    """

    concern: Concern
    path: str
    suffix: str = ""
    absent: str = ""
    key: str = ""


PLACES = (
    Place(Concern.SECRET, "spec.train.env[].valueFrom.secretKeyRef.name"),
    Place(Concern.SECRET, "spec.train.envFrom[].secretRef.name"),
    Place(Concern.SECRET, "spec.build[].source.git.secretName"),
    Place(Concern.SECRET, "spec.build[].pushSecretName"),
    Place(Concern.SECRET, "spec.deploy.env[].valueFrom.secretKeyRef.name"),
    Place(Concern.SECRET, "spec.deploy.envFrom[].secretRef.name"),
    Place(Concern.CLAIM, "spec.storage.claimName"),
    Place(Concern.CLAIM, "spec.storage.size", suffix=names.claim("")),
    Place(Concern.IMAGE, "spec.train.image"),
    Place(Concern.IMAGE, "spec.build[].builderImage"),
    Place(Concern.IMAGE, "spec.deploy.image"),
    Place(Concern.REPOSITORY, "spec.build[].image"),
    Place(Concern.RESOURCES, "spec.train.resources"),
    Place(Concern.RESOURCES, "spec.build[].resources"),
    Place(Concern.RESOURCES, "spec.deploy.resources"),
    Place(Concern.STORAGE_SIZE, "spec.storage.size"),
    Place(Concern.STORAGE_SIZE, "spec.build[].workspaceSize", absent="10Gi"),
    Place(Concern.REPLICAS, "spec.deploy.replicas"),
    Place(Concern.APPROVAL, "spec.gate"),
    Place(Concern.APPROVAL, "metadata.annotations", key=f"{names.GROUP}/approve"),
    Place(Concern.APPROVAL, "metadata.annotations", key=f"{names.GROUP}/reject"),
)


def places(*concerns: Concern) -> tuple[Place, ...]:
    """Return the places of these concerns, in the order of the table."""
    return tuple(place for place in PLACES if place.concern in concerns)


@dataclass(frozen=True, slots=True)
class Segment:
    """One step of a path: a field, and whether it is a list whose items are gone into."""

    name: str
    many: bool


def segments(path: str) -> tuple[Segment, ...]:
    """Return the steps of a path."""
    return tuple(Segment(part.removesuffix("[]"), part.endswith("[]")) for part in path.split("."))


NAMESPACE = "{namespace}"
"""Stands for the pipeline's namespace in an image prefix."""

REFUSED_NAMESPACES = ("kube-system", "kube-public", "kube-node-lease")
"""Where no pipeline starts anything unless an administrator says otherwise: what runs the cluster lives there."""

MUST_BE_LIMITED = ("cpu", "memory", "ephemeral-storage")
"""Resources that a container without a limit takes without bound; of all others it then has none."""

RESOURCE_FORM = (
    "cpu|memory|ephemeral-storage|hugepages-[0-9]+[KMG]i"
    "|[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?"
)
"""Resources that a container may ask for: Kubernetes' own, and those of device plugins, which have a domain."""

QUANTITY_FORM = r"[0-9]+(\.[0-9]+)?([numkMGTPE]|[KMGTPE]i)?"
"""What Kubernetes takes for an amount, as people write it."""

# What container runtimes take for a reference (github.com/distribution/reference), in the words that RE2 and Python
# read alike. It is asked for before a prefix is compared: '..', '//' and the like never reach the comparison.
_LABEL = "[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?"
_COMPONENT = "[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*"
HOST_FORM = f"{_LABEL}([.]{_LABEL})*(:[0-9]+)?"
PATH_FORM = f"{_COMPONENT}(/{_COMPONENT})*"
IMAGE_FORM = f"^({HOST_FORM}/)?{PATH_FORM}(:[A-Za-z0-9_][-._A-Za-z0-9]*)?(@[A-Za-z][A-Za-z0-9]*:[0-9a-fA-F]+)?$"
REPOSITORY_OF = "^([^/@:]+(:[0-9]+)?/)?[^:@]+"
"""Matches an image's repository: the reference without tag and digest."""
HOST_FIRST = "^([^/]*[.:A-Z][^/]*|localhost)/"
"""Matches a repository whose first component is a registry; any other is one of the hub's."""
HUB = "docker.io/"
HUB_ALIAS = "index.docker.io/"
HUB_OFFICIAL = "docker.io/library/"
HUB_SHORT = "^docker[.]io/[^/]+$"
