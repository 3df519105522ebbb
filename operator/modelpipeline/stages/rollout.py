"""Whether a revision serves: the judgement of a roll-out, by the Deployments and never by Seldon's word alone.

`Available` is said 46 ms after an update while the old pod serves, and `Creating` for ever after a failed one
(facts/seldon.md 2.1; SeldonIO/seldon-core#4269, #4224). So: the Deployments that the SeldonDeployment owns must carry
our stamp and have finished (2.3). Here: the rules, asked in order; complete beats late, late beats waiting.
Elsewhere: which revision should be there (deploy.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from modelpipeline.api import names, reasons
from modelpipeline.kinds import pod
from modelpipeline.kinds.deployment import Deployment
from modelpipeline.kinds.seldondeployment import SeldonDeployment
from modelpipeline.stages import outcome
from modelpipeline.stages.outcome import Outcome
from modelpipeline.stages.scope import Scope

STEP = "deploy"
PATIENCE = timedelta(seconds=10)
"""How long Seldon's operator may say Failed before it is taken at its word: it retries its own errors."""
SILENCE = timedelta(seconds=30)
"""How long there may be no status at all before we say that nobody reconciles the object."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """One revision on its way: `deadline` is when it must be complete, None when it is only kept alive."""

    scope: Scope
    server: SeldonDeployment
    owned: tuple[Deployment, ...]
    revision: str
    timeout_seconds: int
    deadline: datetime | None

    def since(self, what: str) -> datetime:
        """Return since when a fact has been seen, now when it is new."""
        return self.scope.memory.notes.get(f"{what}:{self.revision}", self.scope.now)


def owned(scope: Scope, server: SeldonDeployment) -> tuple[Deployment, ...]:
    """Return the Deployments that the server owns, by uid: labels prove nothing."""
    return tuple(d for d in scope.deployments if d.controller == server.uid and not d.deleting)


def judge(rollout: Rollout) -> Outcome:
    """Judge a roll-out; first-seen times are kept as notes, so that a settled state can be told from a passing one."""
    for rule in _RULES:
        if decision := rule(rollout):
            return decision.with_(notes=_notes(rollout))
    return _progressing(rollout).with_(notes=_notes(rollout), look_again_at=_next(rollout))


def complete(rollout: Rollout) -> bool:
    """Say whether every rule of facts/seldon.md 2.3 holds at this moment."""
    server = rollout.server
    return (
        bool(rollout.owned)
        and frozenset(d.name for d in rollout.owned) == server.deployments
        and all(d.revision == rollout.revision and d.complete and not d.stuck for d in rollout.owned)
        and server.state == "Available"
        and server.ready
    )


def serves(revision: str) -> str:
    """Return what is said of a promoted revision, when it becomes one and ever after: same words, no second write."""
    return f"revision {revision} is completely rolled out and serves"


def pod_problem(scope: Scope, revision: str) -> str:
    """Return why the pods of a revision cannot start, with the end of their last words; "" when nothing is wrong."""
    for candidate in scope.pods:
        if candidate.labels.get(names.REVISION) != revision or not candidate.problem:
            continue
        words = next((c.last_message for c in candidate.containers if c.last_message), "")
        return f"pod {candidate.name}: {candidate.problem}" + (f": {pod.last_words(words, 160)}" if words else "")
    return ""


def _settled(rollout: Rollout) -> Outcome | None:
    if not complete(rollout):
        return None
    if rollout.scope.now < rollout.since("complete") + timedelta(seconds=rollout.scope.policy.settle_seconds):
        return None
    return outcome.done(STEP, reasons.DEPLOYED, serves(rollout.revision))


def _stuck(rollout: Rollout) -> Outcome | None:
    """A Deployment that no longer progresses, even though Seldon goes on saying Creating."""
    stuck = next((d for d in rollout.owned if d.stuck and d.revision == rollout.revision), None)
    return _late(rollout, f"Deployment {stuck.name}: {stuck.stuck}") if stuck else None


def _refused(rollout: Rollout) -> Outcome | None:
    """Seldon's operator refuses the object, and keeps doing so."""
    server, scope = rollout.server, rollout.scope
    if server.state != "Failed" or scope.now < rollout.since("failed") + PATIENCE:
        return None
    words = pod_problem(scope, rollout.revision) or pod.first_line(server.description, 300) or "Failed"
    return outcome.failed(
        STEP,
        reasons.SERVER_REJECTED,
        f"Seldon says of {server.name}: {words}; correct spec.deploy, or see kubectl describe sdep {server.name} "
        f"-n {scope.namespace}",
    )


def _overdue(rollout: Rollout) -> Outcome | None:
    if not rollout.deadline or rollout.scope.now < rollout.deadline or complete(rollout):
        return None
    return _late(rollout, f"not complete after {rollout.timeout_seconds} s (deploy.timeoutSeconds)")


_RULES: tuple[Callable[[Rollout], Outcome | None], ...] = (_settled, _stuck, _refused, _overdue)


def _progressing(rollout: Rollout) -> Outcome:
    scope, server = rollout.scope, rollout.server
    problem = pod_problem(scope, rollout.revision)
    if problem:
        return outcome.running(STEP, reasons.POD_PENDING, f"revision {rollout.revision}: {problem}")
    if not server.reconciled and scope.now >= rollout.since("seen") + SILENCE:
        return outcome.running(
            STEP,
            reasons.NO_SELDON_OPERATOR,
            f"nobody has reconciled SeldonDeployment {server.name}; is Seldon Core installed, and does it watch "
            f"namespace {scope.namespace}? kubectl get deployments -A -l control-plane=seldon-controller-manager",
        )
    return outcome.running(STEP, reasons.ROLLING_OUT, f"revision {rollout.revision} is being rolled out")


def _late(rollout: Rollout, what: str) -> Outcome:
    scope = rollout.scope
    cause = pod_problem(scope, rollout.revision)
    again = "; the last promoted revision serves on" if scope.stored.last_promoted else ""
    return outcome.failed(
        STEP,
        reasons.ROLLOUT_TIMEOUT,
        f"revision {rollout.revision}: {what}" + (f"; {cause}" if cause else "") + f"{again}; correct spec.deploy and "
        f"apply again; see kubectl get pods -n {scope.namespace} -l {names.REVISION}={rollout.revision}",
    )


def _notes(rollout: Rollout) -> dict[str, datetime]:
    held = {"seen": True, "complete": complete(rollout), "failed": rollout.server.state == "Failed"}
    return {f"{what}:{rollout.revision}": rollout.since(what) for what, holds in held.items() if holds}


def _next(rollout: Rollout) -> datetime | None:
    """Return when a rule may answer otherwise though nothing has changed."""
    settle = timedelta(seconds=rollout.scope.policy.settle_seconds)
    times = [rollout.since("seen") + SILENCE if not rollout.server.reconciled else None, rollout.deadline]
    times.append(rollout.since("complete") + settle if complete(rollout) else None)
    times.append(rollout.since("failed") + PATIENCE if rollout.server.state == "Failed" else None)
    return min((time for time in times if time and time > rollout.scope.now), default=None)
