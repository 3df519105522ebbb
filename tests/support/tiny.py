"""A planner as small as can be, to test what carries plans out: dry run, one claim, one Job, the Job's end.

Its children and conditions are real enough for a real API server; its judgement is nobody's.
"""

from __future__ import annotations

import datetime
from typing import Any

from modelpipeline.api import names
from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds.kind import Object
from modelpipeline.stages import actions
from modelpipeline.stages.policy import Policy


def plan(
    pipeline: Object, children: actions.Snapshot, memory: actions.Memory, now: datetime.datetime, _policy: Policy
) -> actions.Plan:
    """Plan a dry run, a claim and a Job, in this order, each recorded before the next."""
    bodies = ((kinds.CLAIM, claim(pipeline)), (kinds.JOB, job(pipeline)))
    verdicts = memory.verdicts.get(kinds.uid(pipeline), {})
    doubts = [fault for fault in verdicts.values() if fault]
    faults = list(memory.faults.values())
    found = {kinds.name(obj): obj for kind in ("PersistentVolumeClaim", "Job") for obj in children[kind]}
    absent = [(kind, body) for kind, body in bodies if kinds.name(body) not in found]
    foreign = [name for name, obj in memory.foreign.items() if obj and not kinds.controller_uid(obj)]
    if kinds.deleting(pipeline):
        return actions.Plan(status=dict(pipeline.get("status") or {}))
    if foreign:
        return _saying(pipeline, "NameConflict", f"{foreign[0]} is not ours")
    if doubts:
        return _saying(pipeline, doubts[0].reason, doubts[0].message, _dry_run(pipeline, bodies))
    if faults and absent:
        return _saying(pipeline, faults[0].reason, faults[0].message, *_next(pipeline, absent))
    if absent and not verdicts:
        return _saying(pipeline, "Pending", "checking", _dry_run(pipeline, bodies))
    if absent:
        return _saying(pipeline, "Pending", f"{len(absent)} to make", *_next(pipeline, absent))
    ended = [one.get("type") for one in (found[job_name(pipeline)].get("status") or {}).get("conditions") or []]
    if "Complete" in ended:
        return _saying(pipeline, "Completed", "the Job is complete", ready="True")
    return _saying(pipeline, "Training", "the Job runs")


def _next(pipeline: Object, absent: list[tuple[kinds.Kind, Object]]) -> tuple[actions.Action, ...]:
    return tuple(actions.Create(kind, body) for kind, body in absent[:1])


def _dry_run(pipeline: Object, bodies: tuple[tuple[kinds.Kind, Object], ...]) -> actions.DryRun:
    return actions.DryRun(kinds.uid(pipeline), bodies, kinds.uid(pipeline))


def _saying(pipeline: Object, reason: str, message: str, *todo: actions.Action, ready: str = "False") -> actions.Plan:
    generation = pipeline["metadata"]["generation"]
    said: dict[str, Any] = {
        "type": "Ready",
        "status": ready,
        "reason": reason,
        "message": message,
        "observedGeneration": generation,
        "lastTransitionTime": pipeline["metadata"]["creationTimestamp"],
    }
    status = {"observedGeneration": generation, "conditions": [said]}
    record = status != pipeline.get("status")
    events = (actions.Event("Normal", reason, message),) if record else ()
    return actions.Plan(status=status, record=record, events=events, actions=todo)


def job_name(pipeline: Object) -> str:
    """Return the name of the Job."""
    return names.child(kinds.name(pipeline), kinds.uid(pipeline), 1, "train", "key")


def _metadata(pipeline: Object, name: str, step: str) -> Object:
    return {
        "name": name,
        "labels": names.child_labels(kinds.name(pipeline), "1-run", step),
        "ownerReferences": [
            {
                "apiVersion": kinds.PIPELINE.api_version,
                "kind": kinds.PIPELINE.name,
                "name": kinds.name(pipeline),
                "uid": kinds.uid(pipeline),
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }


def claim(pipeline: Object) -> Object:
    """Return the claim."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": _metadata(pipeline, names.claim(kinds.name(pipeline)), "storage"),
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }


def job(pipeline: Object) -> Object:
    """Return the Job."""
    metadata = _metadata(pipeline, job_name(pipeline), "train")
    container = {"name": "train", "image": pipeline["spec"]["train"]["image"]}
    template = {
        "metadata": {"labels": metadata["labels"]},
        "spec": {"restartPolicy": "Never", "containers": [container]},
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": template}}
