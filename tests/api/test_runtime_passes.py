"""The operator's hands on a real API server: what it writes, in which order, how often, and what it leaves alone."""

from __future__ import annotations

import asyncio
import datetime
import functools
from pathlib import Path
from typing import Any

import pytest

from hack.cluster import cluster
from hack.seldon import wire
from modelpipeline.edge import operate
from modelpipeline.kinds import kind as kinds
from modelpipeline.stages import actions
from modelpipeline.stages.policy import Policy
from tests.support import kubelet, make, operating, tiny, waiting
from tests.support.kubectl import Kubectl


@pytest.fixture
def kubeconfig(api_cluster: cluster.Cluster, kubectl: Kubectl) -> Path:
    return operating.admitted(api_cluster, kubectl)


async def apply(api: wire.Wire, namespace: str, **spec: Any) -> wire.Object:
    return await api.request("POST", operating.PIPELINES.path(namespace), make.pipeline(**spec))


async def settled(api: wire.Wire, namespace: str, reason: str, name: str = "digits") -> wire.Object:
    return await waiting.until(
        api, operating.PIPELINES, namespace, name, lambda found: operating.ready(found)[1] == reason
    )


async def label(api: wire.Wire, namespace: str, value: str) -> None:
    """Change what no plan reads, so that a pass is made."""
    path = operating.PIPELINES.path(namespace, "digits")
    await api.request("PATCH", path, {"metadata": {"labels": {"touched": value}}}, content_type=wire.MERGE)


def idle_more_than(operator: operate.Operator, passes: float) -> bool:
    return operating.count(operator.metrics.passes, result="idle") > passes


async def test_a_pipeline_runs_to_its_end_and_then_nothing_is_written_or_read(
    api: wire.Wire, api_cluster: cluster.Cluster, namespace: str, node: kubelet.Scripted, kubeconfig: Path
) -> None:
    async with operating.running(kubeconfig, namespace) as operator:
        await apply(api, namespace)
        await settled(api, namespace, "Completed")
        at_end = operating.requests(api_cluster, namespace)
        passes = operating.count(operator.metrics.passes, result="idle")
        for touch in range(3):
            await label(api, namespace, str(touch))
            await operating.eventually(functools.partial(idle_more_than, operator, passes + touch))
    assert operating.writes(api_cluster, namespace) == [
        "patch modelpipelines/status",
        "patch modelpipelines/status",
        "create persistentvolumeclaims",
        "patch modelpipelines/status",
        "create jobs",
        "patch modelpipelines/status",
        "patch modelpipelines/status",
    ]
    left = await api.get(operating.PIPELINES, namespace, "digits")
    assert left is not None
    assert not {"annotations", "finalizers"} & set(left["metadata"])
    after = operating.requests(api_cluster, namespace)[len(at_end) :]
    assert [str(request) for request in after if request.what != "events"] == []
    assert all(request.code < 400 for request in at_end if request.what != "seldondeployments")


async def test_two_operators_at_once_make_nothing_twice(
    api: wire.Wire, api_cluster: cluster.Cluster, namespace: str, node: kubelet.Scripted, kubeconfig: Path
) -> None:
    async with operating.running(kubeconfig, namespace), operating.running(kubeconfig, namespace):
        for number in range(5):
            await apply(api, namespace, name=f"digits-{number}")
        for number in range(5):
            await settled(api, namespace, "Completed", f"digits-{number}")
    for resource in (operating.JOBS, operating.CLAIMS):
        assert len((await api.request("GET", resource.path(namespace)))["items"]) == 5
    made = [
        request.what
        for request in operating.requests(api_cluster, namespace)
        if (request.verb, request.code, request.dry_run) == ("create", 201, False) and request.what != "events"
    ]
    assert sorted(made) == ["jobs"] * 5 + ["persistentvolumeclaims"] * 5


async def test_every_child_is_dry_run_before_the_first_is_made(
    api: wire.Wire, api_cluster: cluster.Cluster, namespace: str, kubeconfig: Path
) -> None:
    async with operating.running(kubeconfig, namespace):
        await apply(api, namespace)
        await settled(api, namespace, "Training")
    creates = [
        (request.what, request.dry_run)
        for request in operating.requests(api_cluster, namespace)
        if request.verb == "create" and request.what != "events"
    ]
    assert sorted(creates[:2]) == [("jobs", True), ("persistentvolumeclaims", True)]
    assert creates[2:] == [("persistentvolumeclaims", False), ("jobs", False)]


async def test_a_status_that_someone_else_wrote_meanwhile_is_read_again_and_not_overwritten_blindly(
    api: wire.Wire, api_cluster: cluster.Cluster, namespace: str, kubeconfig: Path
) -> None:
    seen: list[str] = []

    def racing(
        pipeline: kinds.Object,
        children: actions.Snapshot,
        memory: actions.Memory,
        now: datetime.datetime,
        policy: Policy,
    ) -> actions.Plan:
        key = (pipeline.get("status") or {}).get("specRunKey", "")
        seen.append(key)
        if not key:
            return actions.Plan(status={"observedGeneration": 1, "specRunKey": "ours"}, record=True)
        return actions.Plan(status=pipeline["status"])

    created = await apply(api, namespace)
    path = operating.PIPELINES.path(namespace, "digits", "status")
    theirs = {"status": {"specRunKey": "theirs"}}

    class Late:
        """Has someone else write the status just before our first write of it."""

        def __init__(self, real: Any) -> None:
            self.real = real
            self.done = False

        def __getattr__(self, name: str) -> Any:
            return getattr(self.real, name)

        async def patch_status(self, *given: Any) -> Any:
            if not self.done:
                self.done = True
                await api.request("PATCH", path, theirs, content_type=wire.MERGE)
            return await self.real.patch_status(*given)

    async with operating.running(kubeconfig, namespace, planner=racing, wrap=Late):
        await waiting.until(
            api, operating.PIPELINES, namespace, "digits", lambda found: seen[-1:] == ["theirs"] and found
        )
    conflicts = [request.code for request in operating.requests(api_cluster, namespace) if request.verb == "patch"]
    assert conflicts == [409]
    assert created["metadata"]["name"] == "digits"


async def test_an_object_of_our_name_that_is_not_ours_is_left_alone_and_told(
    api: wire.Wire, namespace: str, kubeconfig: Path
) -> None:
    theirs = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "digits-models", "labels": {"whose": "theirs"}},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }
    before = await api.request("POST", operating.CLAIMS.path(namespace), theirs)
    async with operating.running(kubeconfig, namespace):
        await apply(api, namespace)
        told = await settled(api, namespace, "NameConflict")
    after = await api.get(operating.CLAIMS, namespace, "digits-models")
    assert after is not None
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["metadata"]["labels"] == {"whose": "theirs"}
    message = told["status"]["conditions"][0]["message"]
    assert "kubectl get persistentvolumeclaim digits-models" in message


async def test_a_child_that_another_made_under_our_name_after_the_check_is_read_and_not_overwritten(
    api: wire.Wire, namespace: str, kubeconfig: Path
) -> None:
    stored: list[wire.Object] = []

    class Quicker:
        """Makes the claim just before we do."""

        def __init__(self, real: Any) -> None:
            self.real = real

        def __getattr__(self, name: str) -> Any:
            return getattr(self.real, name)

        async def create(self, kind: Any, where: str, body: Any, *, dry_run: bool = False) -> Any:
            if not dry_run and kind == kinds.CLAIM and not stored:
                bare = {**body, "metadata": {"name": body["metadata"]["name"]}}
                stored.append(await api.request("POST", operating.CLAIMS.path(namespace), bare))
            return await self.real.create(kind, where, body, dry_run=dry_run)

    async with operating.running(kubeconfig, namespace, wrap=Quicker):
        await apply(api, namespace)
        await settled(api, namespace, "NameConflict")
    after = await api.get(operating.CLAIMS, namespace, "digits-models")
    assert after is not None
    assert after["metadata"]["uid"] == stored[0]["metadata"]["uid"]


async def test_a_quota_without_room_is_told_and_waited_for_and_then_the_pipeline_goes_on(
    api: wire.Wire, api_cluster: cluster.Cluster, namespace: str, kubectl: Kubectl, kubeconfig: Path
) -> None:
    quotas = wire.Resource("v1", "resourcequotas")

    class Filled:
        """Has the quota filled when every child was found to be in order."""

        def __init__(self, real: Any) -> None:
            self.real = real

        def __getattr__(self, name: str) -> Any:
            return getattr(self.real, name)

        async def create(self, kind: Any, where: str, body: Any, *, dry_run: bool = False) -> Any:
            if not dry_run and kind == kinds.CLAIM:
                body_of_quota = {"metadata": {"name": "none"}, "spec": {"hard": {"count/jobs.batch": "0"}}}
                await api.request("POST", quotas.path(namespace), body_of_quota)
                await waiting.until(api, quotas, namespace, "none", lambda found: found["status"]["hard"])
            return await self.real.create(kind, where, body, dry_run=dry_run)

    async with operating.running(kubeconfig, namespace, wrap=Filled):
        await apply(api, namespace)
        told = await settled(api, namespace, "QuotaExceeded")
        kubectl("delete", "quota", "none", "-n", namespace)
        await settled(api, namespace, "Training")
    assert "see: kubectl describe resourcequota" in told["status"]["conditions"][0]["message"]
    tries = [r for r in operating.requests(api_cluster, namespace) if r.what == "jobs" and r.code == 403]
    assert len(tries) <= 3


async def test_a_typo_that_the_api_server_finds_is_told_and_nothing_is_started(
    api: wire.Wire, api_cluster: cluster.Cluster, namespace: str, kubeconfig: Path
) -> None:
    def mistaken(
        pipeline: kinds.Object,
        children: actions.Snapshot,
        memory: actions.Memory,
        now: datetime.datetime,
        policy: Policy,
    ) -> actions.Plan:
        plan = tiny.plan(pipeline, children, memory, now, policy)
        changed = []
        for action in plan.actions:
            if isinstance(action, actions.DryRun):
                for _, body in action.bodies:
                    body["spec"]["sotrage"] = 1
            changed.append(action)
        return actions.Plan(plan.status, plan.record, plan.events, tuple(changed), plan.look_again_at, plan.notes)

    async with operating.running(kubeconfig, namespace, planner=mistaken):
        await apply(api, namespace)
        told = await settled(api, namespace, "InvalidSpec")
    assert 'unknown field "spec.sotrage"' in told["status"]["conditions"][0]["message"]
    assert not [what for what in operating.writes(api_cluster, namespace) if what.startswith("create")]


async def test_a_planner_that_fails_on_one_pipeline_does_not_stop_another(
    api: wire.Wire, namespace: str, kubeconfig: Path
) -> None:
    def partly(
        pipeline: kinds.Object,
        children: actions.Snapshot,
        memory: actions.Memory,
        now: datetime.datetime,
        policy: Policy,
    ) -> actions.Plan:
        if kinds.name(pipeline) == "poison":
            raise RecursionError("too deep")
        return tiny.plan(pipeline, children, memory, now, policy)

    async with operating.running(kubeconfig, namespace, planner=partly) as operator:
        await apply(api, namespace, name="poison")
        await waiting.until(api, operating.PIPELINES, namespace, "poison", bool)
        await apply(api, namespace)
        await settled(api, namespace, "Training")
        assert operating.count(operator.metrics.planner_exceptions) >= 1


async def test_a_plan_that_never_agrees_with_its_own_record_does_not_write_at_full_speed(
    api: wire.Wire, api_cluster: cluster.Cluster, namespace: str, kubeconfig: Path
) -> None:
    made = 0

    def restless(
        pipeline: kinds.Object,
        children: actions.Snapshot,
        memory: actions.Memory,
        now: datetime.datetime,
        policy: Policy,
    ) -> actions.Plan:
        nonlocal made
        made += 1
        return actions.Plan(status={"observedGeneration": 1, "specRunKey": f"key-{made}"}, record=True)

    began = asyncio.get_running_loop().time()
    async with operating.running(kubeconfig, namespace, planner=restless) as operator:
        await apply(api, namespace)
        await operating.eventually(lambda: operating.count(operator.metrics.passes, result="recorded") > 11)
    seconds = asyncio.get_running_loop().time() - began
    patches = [request for request in operating.requests(api_cluster, namespace) if request.verb == "patch"]
    assert len(patches) <= 12 + seconds, "ten at once, and then less than one a second"


async def test_a_pipeline_that_is_gone_starts_nothing_though_a_stale_copy_is_shown(
    api: wire.Wire, api_cluster: cluster.Cluster, namespace: str, kubeconfig: Path
) -> None:
    created = await apply(api, namespace)
    await api.request("DELETE", operating.PIPELINES.path(namespace, "digits"))
    async with operating.running(kubeconfig, namespace) as operator:
        await operating.eventually(lambda: operator.primed)
        operator.cache.put(kinds.PIPELINE, {**created, "status": recorded(created)})
        operator.look(namespace, "digits")
        await operating.eventually(lambda: operating.count(operator.metrics.passes, result="gone"))
    assert not [what for what in operating.writes(api_cluster, namespace) if what.startswith("create")]


def recorded(created: wire.Object) -> wire.Object:
    """Return the status with which the tiny planner starts at once."""
    memory = actions.Memory(verdicts={created["metadata"]["uid"]: {"checked": None}})
    children: actions.Snapshot = {kind.name: [] for kind in kinds.CHILDREN}
    return tiny.plan(created, children, memory, datetime.datetime.now(datetime.UTC), Policy()).status


async def test_events_tell_each_transition_once(
    api: wire.Wire, namespace: str, kubectl: Kubectl, kubeconfig: Path
) -> None:
    async with operating.running(kubeconfig, namespace):
        await apply(api, namespace)
        await settled(api, namespace, "Training")
    events = kubectl.json("get", "events", "-n", namespace, "--field-selector=involvedObject.kind=ModelPipeline")
    told = [(event["reason"], event["message"]) for event in events["items"]]
    assert sorted(told) == [
        ("Pending", "1 to make"),
        ("Pending", "2 to make"),
        ("Pending", "checking"),
        ("Training", "the Job runs"),
    ]
    assert {event["source"]["component"] for event in events["items"]} == {"modelpipeline-operator"}
