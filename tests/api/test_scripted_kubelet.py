"""The scripted kubelet tells a real API server and a real Job controller what a real node would tell them."""

from typing import Any

from hack.seldon import wire
from tests.support import kubelet, scripts, storage, waiting

JOBS = wire.Resource("batch/v1", "jobs")
Object = dict[str, Any]


def _job(**pod: Any) -> Object:
    spec = {"restartPolicy": "Never", "containers": [{"name": "train", "image": "trainer:1"}], **pod}
    template = {"metadata": {"labels": {"step": "train"}}, "spec": spec}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "train"},
        "spec": {"backoffLimit": 0, "template": template},
    }


def _pod(name: str = "build", **spec: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"step": "build"}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "push", "image": "build:1"}], **spec},
    }


def _condition(item: Object, kind: str) -> Object:
    conditions: list[Object] = item.get("status", {}).get("conditions") or []
    return next((found for found in conditions if found["type"] == kind), {})


def _main(pod: Object) -> Object:
    statuses: list[Object] = pod["status"].get("containerStatuses") or [{}]
    return statuses[0]


async def test_a_job_pod_ends_with_its_message_and_the_job_completes(
    api: wire.Wire, namespace: str, node: kubelet.Scripted
) -> None:
    node.script({"step": "train"}, message="accuracy 0.97")
    async with waiting.History(api, wire.PODS, namespace) as pods:
        await api.create(JOBS, namespace, _job())
        await waiting.until(api, JOBS, namespace, "train", lambda job: _condition(job, "Complete"))
    ended = [pod for pod in pods.versions if "terminated" in _main(pod).get("state", {})]
    assert _main(ended[0])["state"]["terminated"]["message"] == "accuracy 0.97"
    assert ended[0]["status"]["phase"] == "Running", "a container's end shows before the pod's"
    assert ended[-1]["status"]["phase"] == "Succeeded"
    assert _main(ended[-1])["imageID"].startswith("trainer@sha256:")


async def test_a_failing_container_fails_the_job(api: wire.Wire, namespace: str, node: kubelet.Scripted) -> None:
    node.script({"step": "train"}, exit_code=3, message="x" * 5000)
    async with waiting.History(api, wire.PODS, namespace) as pods:
        await api.create(JOBS, namespace, _job())
        await waiting.until(api, JOBS, namespace, "train", lambda job: _condition(job, "Failed"))
    terminated = _main(pods.versions[-1])["state"]["terminated"]
    assert (terminated["exitCode"], terminated["reason"]) == (3, "Error")
    assert len(terminated["message"]) == 4096, "the kubelet cuts a message"


async def test_a_message_comes_from_the_log_where_the_policy_says_so(
    api: wire.Wire, namespace: str, node: kubelet.Scripted
) -> None:
    node.script({"step": "build"}, exit_code=1, log="step 1\nno such file\n")
    container = {"name": "push", "image": "build:1", "terminationMessagePolicy": "FallbackToLogsOnError"}
    await api.create(wire.PODS, namespace, _pod(containers=[container]))
    pod = await waiting.until(api, wire.PODS, namespace, "build", lambda pod: pod["status"]["phase"] == "Failed")
    assert _main(pod)["state"]["terminated"]["message"] == "step 1\nno such file\n"


async def test_the_log_can_be_read_through_the_api_server(
    api: wire.Wire, namespace: str, node: kubelet.Scripted
) -> None:
    node.script({"step": "build"}, log="epoch 1\nepoch 2\naccuracy=0.97\n")
    await api.create(wire.PODS, namespace, _pod())
    await waiting.until(api, wire.PODS, namespace, "build", lambda pod: pod["status"]["phase"] == "Succeeded")
    path = wire.PODS.path(namespace, "build", "log")
    assert await api.text(path, {"tailLines": "2", "container": "push"}) == "epoch 2\naccuracy=0.97\n"


async def test_init_containers_run_in_order_and_the_first_that_fails_ends_the_pod(
    api: wire.Wire, namespace: str, node: kubelet.Scripted
) -> None:
    node.script({"step": "build"}, init={"assemble": scripts.Exit(1, "no module named sklearn")})
    init = [{"name": name, "image": f"{name}:1"} for name in ("fetch", "assemble")]
    await api.create(wire.PODS, namespace, _pod(initContainers=init))
    pod = await waiting.until(api, wire.PODS, namespace, "build", lambda pod: pod["status"]["phase"] == "Failed")
    fetch, assemble = pod["status"]["initContainerStatuses"]
    assert fetch["state"]["terminated"]["exitCode"] == 0
    assert assemble["state"]["terminated"]["message"] == "no module named sklearn"
    assert "waiting" in _main(pod)["state"], "the main container never started"


async def test_a_test_decides_when_a_pod_ends(api: wire.Wire, namespace: str, node: kubelet.Scripted) -> None:
    running, ended = node.hold({"step": "train"}), node.hold({"step": "train"}, at=kubelet.At.PHASE)
    await api.create(JOBS, namespace, _job())
    name = (await running.arrived())["metadata"]["name"]
    pod = await api.get(wire.PODS, namespace, name)
    assert pod
    assert pod["status"]["phase"] == "Running"
    assert "running" in _main(pod)["state"]
    node.release(running)
    await ended.arrived()
    pod = await api.get(wire.PODS, namespace, name)
    assert pod
    assert pod["status"]["phase"] == "Running"
    assert _main(pod)["state"]["terminated"]["exitCode"] == 0
    node.release(ended)
    await waiting.until(api, JOBS, namespace, "train", lambda job: _condition(job, "Complete"))


async def test_an_image_that_cannot_be_pulled_keeps_the_pod_waiting_until_it_can(
    api: wire.Wire, namespace: str, node: kubelet.Scripted
) -> None:
    node.script({"step": "build"}, waiting="ImagePullBackOff", waiting_message='Back-off pulling image "build:1"')
    await api.create(wire.PODS, namespace, _pod())
    pod = await waiting.until(
        api, wire.PODS, namespace, "build", lambda pod: _main(pod)["state"]["waiting"]["reason"] == "ImagePullBackOff"
    )
    assert pod["status"]["phase"] == "Pending"
    node.script({"step": "build"})
    await waiting.until(api, wire.PODS, namespace, "build", lambda pod: pod["status"]["phase"] == "Succeeded")


async def test_a_pod_without_room_is_unschedulable_until_there_is_room(
    api: wire.Wire, namespace: str, node: kubelet.Scripted
) -> None:
    node.script({"step": "build"}, unschedulable="0/1 nodes are available: 1 Insufficient nvidia.com/gpu.")
    await api.create(wire.PODS, namespace, _pod())
    pod = await waiting.until(
        api, wire.PODS, namespace, "build", lambda pod: _condition(pod, "PodScheduled").get("status") == "False"
    )
    assert _condition(pod, "PodScheduled")["reason"] == "Unschedulable"
    assert "nodeName" not in pod["spec"]
    node.script({"step": "build"})
    await waiting.until(api, wire.PODS, namespace, "build", lambda pod: pod["status"]["phase"] == "Succeeded")


async def test_an_evicted_pod_says_so(api: wire.Wire, namespace: str, node: kubelet.Scripted) -> None:
    node.script({"step": "build"}, evicted="The node was low on resource: memory.")
    await api.create(wire.PODS, namespace, _pod())
    pod = await waiting.until(api, wire.PODS, namespace, "build", lambda pod: pod["status"]["phase"] == "Failed")
    assert pod["status"]["reason"] == "Evicted"
    assert _condition(pod, "DisruptionTarget")["reason"] == "TerminationByKubelet"


async def test_a_deployment_becomes_available_or_crashes(
    api: wire.Wire, namespace: str, node: kubelet.Scripted
) -> None:
    node.script({"app": "bad"}, exit_code=1, message="no model", crashes=True)
    for name in ("good", "bad"):
        labels = {"app": name}
        pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "model", "image": "model:1"}]}}
        spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": pod}
        body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}
        await api.create(wire.DEPLOYMENTS, namespace, body)
    await waiting.until(
        api, wire.DEPLOYMENTS, namespace, "good", lambda found: found["status"].get("availableReplicas") == 1
    )
    async with waiting.History(api, wire.PODS, namespace) as pods:
        pod = await pods.until(
            lambda pod: _main(pod).get("state", {}).get("waiting", {}).get("reason") == "CrashLoopBackOff"
        )
    assert _main(pod)["lastState"]["terminated"]["message"] == "no model"
    assert _main(pod)["restartCount"] == 1


async def test_a_deleted_pod_goes_and_its_job_hears_that_it_failed(
    api: wire.Wire, namespace: str, node: kubelet.Scripted
) -> None:
    running = node.hold({"step": "train"})
    await api.create(JOBS, namespace, _job())
    name = (await running.arrived())["metadata"]["name"]
    await api.delete(wire.PODS, namespace, name)
    await waiting.until(api, JOBS, namespace, "train", lambda job: _condition(job, "Failed"))


async def test_a_claim_binds_with_its_first_pod(api: wire.Wire, namespace: str, node: kubelet.Scripted) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": spec}
    made = await api.create(wire.PERSISTENT_VOLUME_CLAIMS, namespace, claim)
    assert made["spec"]["storageClassName"] == storage.DEFAULT_CLASS
    assert made["status"]["phase"] == "Pending"
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    await api.create(wire.PODS, namespace, _pod(volumes=volumes))
    await waiting.until(api, wire.PODS, namespace, "build", lambda pod: pod["status"]["phase"] == "Succeeded")
    bound = await api.get(wire.PERSISTENT_VOLUME_CLAIMS, namespace, "data")
    assert bound
    assert bound["status"]["phase"] == "Bound"
    assert bound["status"]["capacity"] == {"storage": "1Gi"}


async def test_a_pod_waits_for_a_claim_that_is_missing(api: wire.Wire, namespace: str, node: kubelet.Scripted) -> None:
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "nowhere"}}]
    await api.create(wire.PODS, namespace, _pod(volumes=volumes))
    pod = await waiting.until(
        api, wire.PODS, namespace, "build", lambda pod: _condition(pod, "PodScheduled").get("status") == "False"
    )
    assert 'persistentvolumeclaim "nowhere" not found' in _condition(pod, "PodScheduled")["message"]
