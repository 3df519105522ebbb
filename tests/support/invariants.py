"""What must hold of every version of a pipeline's status, and of every child that is written.

The numbers I1 to I23 and Safety-1 to -4 are those of the list that the design was made from; each is one sentence here.
Pure functions that raise AssertionError. Elsewhere: who calls them (world.py, tests on a real API server).
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterator
from typing import Any

from modelpipeline.api import conditions, names, reasons
from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds.kind import Kind, Object

_SKEW = datetime.timedelta(seconds=2)
_ENDED = ("Succeeded", "Failed", "Rejected", "Cancelled")
_DONE = ("Succeeded", "Cached", "Skipped")
_SECRET = re.compile(r"-----BEGIN|://[^/\s:@]+:[^/\s@]+@|Traceback \(most recent call last\)")
_DNS = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")


def check(before: Object, after: Object, now: datetime.datetime | None = None) -> None:
    """Check one version of a pipeline and the step that led to it."""
    check_version(after)
    _transition(before, after, now)


def check_version(pipeline: Object) -> None:
    """Check one version by itself."""
    status, generation = pipeline.get("status") or {}, pipeline["metadata"]["generation"]
    told = {c["type"]: c for c in status.get("conditions") or []}
    assert len(told) == len(status.get("conditions") or []), "I1: one condition a type"
    for condition in told.values():
        _condition(condition, generation)
    if told:
        assert conditions.READY in told, "I2: Ready from the first write on"
    assert -1 <= status.get("observedGeneration", -1) <= generation, "I3"
    _summary(status, generation, told)
    _order(status, told)
    _evidence(status)
    _bounded(status)


def _condition(condition: Object, generation: int) -> None:
    where = f"{condition['type']}: {condition}"
    assert condition["type"] in conditions.MEANING, f"I1: known type: {where}"
    assert condition["status"] in ("True", "False", "Unknown"), f"I1: {where}"
    assert condition["reason"] in reasons.BY_NAME, f"I1: published reason: {where}"
    message = condition["message"]
    assert len(message) <= 512, f"I1: at most 512 characters: {where}"
    assert len(message.splitlines()) <= 1, f"I1: one line: {where}"
    assert condition["observedGeneration"] <= generation, f"I1: {where}"
    assert not _SECRET.search(message), f"I9: no secret, no stack: {where}"
    if condition["type"] in (conditions.RECONCILING, conditions.STALLED):
        assert condition["status"] == "True", f"I2: present only when True: {where}"


def _summary(status: Object, generation: int, told: dict[str, Object]) -> None:
    assert not (conditions.RECONCILING in told and conditions.STALLED in told), "I5: never both"
    ready = told.get(conditions.READY)
    if ready and ready["status"] == "True":
        assert conditions.RECONCILING not in told, "I4: Ready is not on its way"
        assert conditions.STALLED not in told, "I5: Ready needs nobody"
        assert status["observedGeneration"] == generation == ready["observedGeneration"], "I4: of this generation"
        for type_ in conditions.STAGES:
            assert told.get(type_, ready)["status"] != "False", f"I4: Ready although {told.get(type_)}"
    if conditions.STALLED in told:
        assert ready, "I5"
        assert ready["status"] == "False", "I5: who is stalled is not ready"
    finished, run = told.get(conditions.FINISHED), status.get("run")
    if finished and run and status.get("observedGeneration") == generation:
        assert (finished["status"] == "True") == (run["state"] in _ENDED), "I6: Finished is about the run"


def kstatus(pipeline: Object) -> str:
    """Return what tools that follow kstatus read (cli-utils pkg/kstatus), for a living object."""
    status = pipeline.get("status") or {}
    told = {c["type"]: c["status"] for c in status.get("conditions") or []}
    if "observedGeneration" in status and status["observedGeneration"] != pipeline["metadata"]["generation"]:
        return "InProgress"
    if told.get(conditions.RECONCILING) == "True":
        return "InProgress"
    if told.get(conditions.STALLED) == "True":
        return "Failed"
    return "Current" if told.get(conditions.READY, "True") == "True" else "InProgress"


def _order(status: Object, told: dict[str, Object]) -> None:
    """I7: a later gate that is true implies the earlier ones, in the same run."""
    steps = {step["name"]: step["state"] for step in status.get("steps") or []}
    if (status.get("run") or {}).get("state") != "Succeeded":
        return
    for name, state in steps.items():
        if name not in ("deploy", "storage"):
            assert state in _DONE, f"I7: the run succeeded although {name} is {state}"
    for type_ in (conditions.TRAINED, conditions.GATE_PASSED, conditions.IMAGE_BUILT):
        assert told.get(type_, {}).get("status") != "False", f"I7: the run succeeded although {told.get(type_)}"


def _evidence(status: Object) -> None:
    """I8: who says that something is done says by what."""
    run = status.get("run") or {}
    for step in status.get("steps") or []:
        if step["state"] == "Succeeded" and step["name"] in ("train", "deploy"):
            assert step.get("child", {}).get("uid"), f"I8: no uid: {step}"
        if step["state"] in ("Succeeded", "Cached") and step["name"].startswith("build-"):
            image = (status.get("images") or {}).get(step["name"].removeprefix("build-"), "")
            assert "@sha256:" in image, f"I8: no digest: {step}"
        if step["state"] == "Failed":
            assert step.get("reason") in reasons.BY_NAME, f"I8: failed for no reason: {step}"
    if run.get("state") == "Succeeded" and status.get("serving"):
        assert status.get("lastPromoted"), "I8: what serves can be made again"


def _bounded(status: Object) -> None:
    assert len(json.dumps(status)) <= 64 * 1024, "I10"
    for step in status.get("steps") or []:
        assert len(step.get("message", "")) <= 512, f"I10: {step}"
        assert len(step.get("message", "").splitlines()) <= 1, f"I10: one line: {step}"


def _transition(before: Object, after: Object, now: datetime.datetime | None) -> None:
    old, new = before.get("status") or {}, after.get("status") or {}
    assert before["spec"] == after["spec"], "I18: the spec is the user's"
    for field in ("labels", "annotations", "finalizers"):
        assert before["metadata"].get(field) == after["metadata"].get(field), f"I18: {field} are the user's"
    assert old != new, "I17: a write that changes nothing"
    assert new.get("observedGeneration", -1) >= old.get("observedGeneration", -1), "I14"
    _times(old, new, now)
    _runs(old, new, after["metadata"]["generation"])
    ready = {c["type"]: c for c in old.get("conditions") or []}.get(conditions.READY, {})
    again = {c["type"]: c for c in new.get("conditions") or []}.get(conditions.READY, {})
    if ready.get("status") == "True" and again.get("status") == "False":
        moved = old.get("observedGeneration") != after["metadata"]["generation"]
        lost = again["reason"] in (reasons.SERVER_UNAVAILABLE, reasons.STORAGE_LOST, reasons.CLAIM_TERMINATING)
        assert moved or lost, f"I4: Ready was taken away: {again}"


def _times(old: Object, new: Object, now: datetime.datetime | None) -> None:
    earlier = {c["type"]: c for c in old.get("conditions") or []}
    for condition in new.get("conditions") or []:
        last = earlier.get(condition["type"])
        time = condition["lastTransitionTime"]
        if now:
            assert datetime.datetime.fromisoformat(time) <= now + _SKEW, f"I13: of the future: {condition}"
        if not last:
            continue
        same = last["status"] == condition["status"]
        assert (time == last["lastTransitionTime"]) or not same, f"I13: moved without a change: {condition}"
        assert time >= last["lastTransitionTime"], f"I13: backwards: {condition}"


def _runs(old: Object, new: Object, generation: int) -> None:
    was, run = old.get("run"), new.get("run")
    if not was:
        return
    assert run, "I16: a run does not vanish"
    if was["id"] == run["id"]:
        if was["state"] in _ENDED:
            assert run["state"] == was["state"], "I16: an ended run stays as it ended"
        for field in ("startedAt", "finishedAt"):
            assert not was.get(field) or run.get(field) == was[field], f"I14: {field} is set once"
        _attempts(old, new)
        return
    assert run["number"] > was["number"], "I15: runs are counted upwards"
    assert was["state"] in _ENDED, "I15: one active run"
    assert run["trigger"] == f"Spec:{generation}", "I15: a new run has a trigger"


def _attempts(old: Object, new: Object) -> None:
    earlier = {step["name"]: step for step in old.get("steps") or []}
    for step in new.get("steps") or []:
        last = earlier.get(step["name"], {})
        same_inputs = last.get("key") == step.get("key")
        if same_inputs:
            assert step.get("attempt", 0) >= last.get("attempt", 0), f"I14: attempts count upwards: {step}"
        ended = last.get("state") in ("Succeeded", "Cached", "Failed")
        if ended and same_inputs and step["name"] not in ("deploy", "storage"):
            assert step["state"] == last["state"], f"Safety-4: {last} became {step}"


def check_child(pipeline: Object, kind: Kind, child: Object) -> None:
    """Check a child that was just written (I12, I21 to I23)."""
    meta = child["metadata"]
    assert not kinds.deleting(pipeline), "I12: no child for a pipeline on its way out"
    assert meta["namespace"] == pipeline["metadata"]["namespace"], "I23: in its namespace"
    if kind != kinds.CLAIM:
        assert kinds.controller_uid(child) == kinds.uid(pipeline), "I21: ours by controller reference"
    labels = kinds.labels(child)
    assert labels[names.MANAGED_BY] == names.MANAGER, "I21"
    assert labels[names.PIPELINE] == kinds.name(pipeline), "I21"
    assert labels[names.STEP], "I21"
    assert len(kinds.name(child)) <= 63, "I22"
    assert _DNS.match(kinds.name(child)), "I22"
    for value in labels.values():
        assert len(value) <= 63, "I22: labels"
    _hardened(kind, child)


def _hardened(kind: Kind, child: Object) -> None:
    """I21: pods of ours stand at restricted, build pods at baseline, and none carries a token, the server's neither."""
    for asked in pod_specs(child):
        assert asked["automountServiceAccountToken"] is False
        assert "serviceAccountToken" not in json.dumps(asked.get("volumes", []))
    spec = {kinds.JOB: lambda: child["spec"]["template"]["spec"], kinds.POD: lambda: child["spec"]}.get(kind)
    if not spec:
        return
    pod = spec()
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in (*pod.get("initContainers", ()), *pod["containers"]):
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"]["drop"] == ["ALL"]
        assert not security.get("privileged")
    assert not any("hostPath" in volume for volume in pod.get("volumes", ()))


def pod_specs(tree: Any) -> Iterator[Object]:
    """Yield every pod spec in an object, in a list of them or in a plan, however deep."""
    if isinstance(tree, dict) and isinstance(tree.get("containers"), list):
        yield tree
    for inner in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from pod_specs(inner)


def check_gates(pipeline: Object, kind: Kind, child: Object) -> None:
    """Safety-2: what comes before a child is true in the API server before the child is written."""
    status = pipeline.get("status") or {}
    steps = {step["name"]: step for step in status.get("steps") or []}
    spec = pipeline["spec"]
    if kind == kinds.JOB:
        trainer = (spec.get("train") or {}).get("imageFrom")
        if trainer:
            image = child["spec"]["template"]["spec"]["containers"][0]["image"]
            assert steps[f"build-{trainer}"]["state"] in _DONE, "a Job before its trainer was built"
            assert image == status["images"][trainer], "a Job of another digest than was recorded"
    if kind == kinds.POD:
        assert status.get("run", {}).get("id") == kinds.labels(child)[names.RUN], "a build of an unrecorded run"
    if kind == kinds.SELDON_DEPLOYMENT:
        _server_gates(status, spec, steps, child)


def _server_gates(status: Object, spec: Object, steps: dict[str, Any], child: Object) -> None:
    stamp = child["spec"]["predictors"][0]["labels"][names.REVISION]
    if stamp == (status.get("lastPromoted") or {}).get("revision"):
        return
    wanted = {f"build-{item['name']}" for item in spec.get("build") or ()}
    wanted |= {name for name in ("train", "gate") if spec.get(name)}
    for name in wanted:
        assert steps.get(name, {}).get("state") in _DONE, f"a server before {name} was recorded: {steps.get(name)}"
    made = (spec.get("deploy") or {}).get("imageFrom")
    if made:
        container = child["spec"]["predictors"][0]["componentSpecs"][0]["spec"]["containers"][0]
        assert container["image"] == status["images"][made], "a server of another digest than was recorded"


def check_ours(pipeline: Object, kind: Kind, child: Object) -> None:
    """Safety-3: nothing is changed or deleted that is not ours; the retained claim carries our label instead."""
    owner = kinds.controller_uid(child)
    retained = kind == kinds.CLAIM and not owner and kinds.labels(child).get(names.PIPELINE) == kinds.name(pipeline)
    assert owner == kinds.uid(pipeline) or retained, f"{kind.name} {kinds.name(child)} is not ours"
