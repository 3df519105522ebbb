"""What a plan may ask for: the whole vocabulary between the pure core and the writer.

Here: actions, faults and the plan as plain values. Elsewhere: who decides them (the stages) and who carries them out
(runtime/worker.py through kube/).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from modelpipeline.api.spec import Metric
from modelpipeline.kinds.kind import Kind, Object


@dataclass(frozen=True, slots=True)
class Event:
    """One core/v1 Event on the pipeline; the reason is the condition's."""

    type: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Create:
    """POST `body`, strict; a 409 is answered by reading what is there, and the next plan judges it.

    What is there goes into `Memory.foreign` as well: without our label no watch would show it.
    """

    kind: Kind
    body: Object

    @property
    def child(self) -> str:
        """Return the key under which a fault of this write is remembered."""
        return f"{self.kind.name}/{self.body['metadata']['name']}"


@dataclass(frozen=True, slots=True)
class Replace:
    """PUT `body`, which carries the resourceVersion that was read: only the SeldonDeployment is ever replaced."""

    kind: Kind
    body: Object

    @property
    def child(self) -> str:
        """Return the key under which a fault of this write is remembered."""
        return f"{self.kind.name}/{self.body['metadata']['name']}"


@dataclass(frozen=True, slots=True)
class Patch:
    """Merge patch of one object; `body` carries metadata.resourceVersion as its precondition."""

    kind: Kind
    name: str
    body: Object

    @property
    def child(self) -> str:
        """Return the key under which a fault of this write is remembered."""
        return f"{self.kind.name}/{self.name}"


@dataclass(frozen=True, slots=True)
class Delete:
    """DELETE with the uid as precondition, foreground: a namesake that came later is never hit.

    `event` is told when it is done, where the deletion itself is what a person should know of.
    """

    kind: Kind
    name: str
    uid: str
    event: Event | None = None

    @property
    def child(self) -> str:
        """Return the key under which a fault of this write is remembered."""
        return f"{self.kind.name}/{self.name}"


@dataclass(frozen=True, slots=True)
class DryRun:
    """POST each body with dryRun=All, strict, before anything starts.

    The verdicts are remembered under `fingerprint` (a hash of the bodies) as one `Fault | None` a body, by child key.
    A 409 counts as valid when the object there is controlled by `owner_uid` (or is a claim with our label and no
    controller: a retained one, judged by stages/storage.py); else it is a fault with reason NameConflict.
    A plan asks again as long as a verdict holds a fault: the worker does so after 30 s when no fault is final, after
    60 s when one is (a foreign object deleted, a namespace's label changed), and on a new fingerprint at once.
    """

    fingerprint: str
    bodies: tuple[tuple[Kind, Object], ...]
    owner_uid: str


@dataclass(frozen=True, slots=True)
class ReadLog:
    """Read metrics in the end (at most 1 MiB) of one container's log; remembered under the pod's uid."""

    pod: str
    pod_uid: str
    container: str
    metrics: tuple[Metric, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """GET one object that carries no label of ours (a claim that the user named), so no watch brings it.

    Remembered in `Memory.foreign` under `<Kind>/<name>`: the object, or None when there is none. The worker forgets the
    answer after 15 s, so that a plan that still needs it asks again; a plan that does not need it costs no read.
    """

    kind: Kind
    name: str

    @property
    def child(self) -> str:
        """Return the key under which the answer, or a fault, is remembered."""
        return f"{self.kind.name}/{self.name}"


Action = Create | Replace | Patch | Delete | DryRun | ReadLog | Look


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a write (or dry run, or log read) did not succeed, in the words of a condition.

    `final`: the same attempt would fail in the same way (400, 422: the user's error); else it is retried with backoff.
    """

    reason: str
    message: str
    final: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What one look at everything led to.

    `status` is the whole status as it should be (a plain dict, JSON values only). `record` says that it differs from
    the stored one in something that must be written now, before any action; what may ride on the next due write does
    not set it. `actions` are in order; the worker carries out the first and comes back. `look_again_at` is the next
    deadline. `notes` are in-memory first-seen times, given back as `Memory.notes` (lost on restart, harmlessly).
    """

    status: Object
    record: bool = False
    events: tuple[Event, ...] = ()
    actions: tuple[Action, ...] = ()
    look_again_at: datetime | None = None
    notes: dict[str, datetime] = field(default_factory=dict)


@dataclass(slots=True)
class Memory:
    """What the worker remembers of one pipeline between passes, in memory only: losing it costs time, never truth.

    `faults` by `Action.child` of the last failed write (removed when it succeeds); `verdicts` by fingerprint of a dry
    run; `logs` by pod uid: the metrics found, or a Fault; `deleted` uid -> the last version seen of a child whose
    deletion was watched; `foreign` what was found under a name without our label (see Look and Create).
    """

    faults: dict[str, Fault] = field(default_factory=dict)
    verdicts: dict[str, dict[str, Fault | None]] = field(default_factory=dict)
    logs: dict[str, dict[str, str] | Fault] = field(default_factory=dict)
    deleted: dict[str, Object] = field(default_factory=dict)
    foreign: dict[str, Object | None] = field(default_factory=dict)
    notes: dict[str, datetime] = field(default_factory=dict)


Snapshot = dict[str, list[dict[str, Any]]]
"""Kind name -> the objects of that kind which carry the pipeline's label in its namespace, as the cache has them."""
