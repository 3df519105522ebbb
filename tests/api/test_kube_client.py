"""The adapter on a real API server: what is sent arrives whole, and each refusal is understood."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hack.cluster import cluster
from hack.seldon import wire
from modelpipeline import errors
from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds.kind import Kind, Object
from modelpipeline.kube import client, connection, faults
from tests.support import kubelet, make, waiting
from tests.support.kubectl import Kubectl

CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps")
LABELS = {"modelpipeline.dev/pipeline": "digits"}


@contextlib.asynccontextmanager
async def connected(kubeconfig: Path) -> AsyncIterator[client.Client]:
    credentials = connection.Connection(str(kubeconfig))
    await credentials.load()
    opened = client.Client(credentials)
    try:
        yield opened
    finally:
        await opened.close()


@pytest.fixture
async def admin(api_cluster: cluster.Cluster) -> AsyncIterator[client.Client]:
    async with connected(api_cluster.kubeconfig) as opened:
        yield opened


def pod(name: str = "p", **spec: Any) -> Object:
    container = {"name": "main", "image": "registry.example/x:1"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": LABELS},
        "spec": {"restartPolicy": "Never", "containers": [container], **spec},
    }


def config_map(name: str, **metadata: Any) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": {"k": "v"}}


async def refusal(asked: Any) -> errors.OperatorError:
    with pytest.raises(errors.OperatorError) as caught:
        await asked
    return caught.value


async def test_an_object_comes_back_with_all_that_was_sent_and_the_manager_is_named(
    admin: client.Client, namespace: str
) -> None:
    sent = {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": "digits"},
        "spec": {"predictors": [{"name": "default", "replicas": 1, "graph": {"name": "model", "type": "MODEL"}}]},
    }
    made = await admin.create(kinds.SELDON_DEPLOYMENT, namespace, sent)
    assert made["spec"] == sent["spec"]
    assert made["metadata"]["managedFields"][0]["manager"] == "modelpipeline-operator"
    assert await admin.get(kinds.SELDON_DEPLOYMENT, namespace, "digits") == made


async def test_a_dry_run_leaves_nothing(admin: client.Client, namespace: str) -> None:
    await admin.create(kinds.POD, namespace, pod(), dry_run=True)
    assert isinstance(await refusal(admin.get(kinds.POD, namespace, "p")), faults.NotFound)


async def test_a_list_is_read_in_chunks_by_label_in_one_namespace_or_all(
    admin: client.Client, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "CHUNK", 2)
    for number in range(5):
        await admin.create(CONFIG_MAP, namespace, config_map(f"c{number}", labels={"mark": namespace}))
    found = await admin.list(CONFIG_MAP, namespace, f"mark={namespace}")
    assert [kinds.name(item) for item in found.items] == [f"c{number}" for number in range(5)]
    assert {(item["apiVersion"], item["kind"]) for item in found.items} == {("v1", "ConfigMap")}
    assert int(found.version) > 0
    assert len((await admin.list(CONFIG_MAP, "", f"mark={namespace}")).items) == 5
    bare = await admin.list(CONFIG_MAP, namespace, f"mark={namespace}", metadata_only=True)
    assert [kinds.name(item) for item in bare.items] == [f"c{number}" for number in range(5)]
    assert not any("data" in item for item in bare.items)


async def test_a_status_patch_is_held_to_the_version_that_was_read(admin: client.Client, namespace: str) -> None:
    made = await admin.create(kinds.PIPELINE, namespace, make.pipeline())
    version = made["metadata"]["resourceVersion"]
    patch = {"metadata": {"resourceVersion": version}, "status": {"observedGeneration": 1, "specRunKey": "a"}}
    patched = await admin.patch_status(kinds.PIPELINE, namespace, "digits", patch)
    assert patched["status"] == {"observedGeneration": 1, "specRunKey": "a"}
    assert isinstance(await refusal(admin.patch_status(kinds.PIPELINE, namespace, "digits", patch)), faults.Conflict)
    fresh = {"metadata": {"resourceVersion": patched["metadata"]["resourceVersion"]}, "status": {"specRunKey": None}}
    again = await admin.patch_status(kinds.PIPELINE, namespace, "digits", fresh)
    assert again["status"] == {"observedGeneration": 1}


async def test_a_replace_is_held_to_the_version_that_was_read(admin: client.Client, namespace: str) -> None:
    made = await admin.create(CONFIG_MAP, namespace, config_map("c"))
    changed = await admin.replace(CONFIG_MAP, namespace, {**made, "data": {"k": "w"}})
    assert changed["data"] == {"k": "w"}
    assert isinstance(await refusal(admin.replace(CONFIG_MAP, namespace, made)), faults.Conflict)


async def test_a_delete_hits_only_the_uid_it_was_meant_for(
    admin: client.Client, namespace: str, kubectl: Kubectl
) -> None:
    made = await admin.create(CONFIG_MAP, namespace, config_map("c"))
    assert isinstance(await refusal(admin.delete(CONFIG_MAP, namespace, "c", "another")), faults.Conflict)
    await admin.delete(CONFIG_MAP, namespace, "c", kinds.uid(made))
    kubectl("wait", "--for=delete", "--timeout=60s", "configmap/c", "-n", namespace)
    assert isinstance(await refusal(admin.delete(CONFIG_MAP, namespace, "c", kinds.uid(made))), faults.NotFound)


async def test_what_waits_for_its_dependents_is_told_to_be_on_its_way_out(admin: client.Client, namespace: str) -> None:
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "j"},
        "spec": {"template": {"spec": pod()["spec"]}},
    }
    made = await admin.create(kinds.JOB, namespace, job)
    left = await admin.delete(kinds.JOB, namespace, "j", kinds.uid(made))
    assert left is not None
    assert kinds.deleting(left)


async def test_the_end_of_a_log_is_read_and_no_more_than_asked(
    admin: client.Client,
    api: wire.Wire,
    namespace: str,
    node: kubelet.Scripted,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    node.script(LABELS, log="first\n" + "x" * 3000 + "\naccuracy=0.97\n")
    await admin.create(kinds.POD, namespace, pod())
    await waiting.until(api, wire.PODS, namespace, "p", lambda found: found["status"].get("phase") == "Succeeded")
    assert (await admin.logs(namespace, "p", "main")).startswith("first\n")
    monkeypatch.setattr(client, "LOG_LIMIT", 100)
    tail = await admin.logs(namespace, "p", "main")
    assert len(tail) == 100
    assert tail.endswith("x\naccuracy=0.97\n")


async def test_the_log_of_a_pod_that_is_gone_is_not_found(admin: client.Client, namespace: str) -> None:
    assert isinstance(await refusal(admin.logs(namespace, "gone", "main")), faults.NotFound)


async def test_saying_an_event_twice_is_no_error(admin: client.Client, namespace: str) -> None:
    event = {
        "metadata": {"name": "e", "namespace": namespace},
        "involvedObject": {"kind": "ModelPipeline", "namespace": namespace, "name": "digits"},
        "reason": "Training",
        "message": "m",
        "type": "Normal",
    }
    await admin.create_event(namespace, event)
    await admin.create_event(namespace, event)


async def test_pod_security_names_the_rule(admin: client.Client, namespace: str, kubectl: Kubectl) -> None:
    kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=baseline")
    error = await refusal(admin.create(kinds.POD, namespace, pod(hostNetwork=True), dry_run=True))
    assert isinstance(error, errors.Stalled)
    assert error.reason == "PodSecurityDenied"
    assert "host namespaces (hostNetwork=true)" in error.message


async def test_a_missing_service_account_is_waited_for(admin: client.Client, namespace: str) -> None:
    error = await refusal(admin.create(kinds.POD, namespace, pod(serviceAccountName="builder")))
    assert isinstance(error, errors.Retryable)
    assert error.reason == "ServiceAccountMissing"
    assert "kubectl get serviceaccount builder" in error.message


async def test_a_missing_right_is_named(api_cluster: cluster.Cluster, namespace: str) -> None:
    async with connected(api_cluster.kubeconfig_for("nobody")) as nobody:
        error = await refusal(nobody.create(kinds.JOB, namespace, {"metadata": {"name": "j"}}))
    assert (error.reason, isinstance(error, errors.Retryable)) == ("Forbidden", True)
    assert "grant verb create on jobs (API group batch) to nobody" in error.message


async def test_a_typo_is_named_by_its_field(admin: client.Client, namespace: str) -> None:
    error = await refusal(admin.create(kinds.POD, namespace, pod(restartPolcy="Never"), dry_run=True))
    assert isinstance(error, faults.Rejected)
    assert error.message == 'Pod p is refused: unknown field "spec.restartPolcy"'


async def test_an_invalid_value_is_named_by_its_field_and_not_repeated(admin: client.Client, namespace: str) -> None:
    error = await refusal(admin.create(kinds.POD, namespace, pod(restartPolicy="topsecret"), dry_run=True))
    assert isinstance(error, faults.Rejected)
    assert "spec.restartPolicy: supported values:" in error.message
    assert "topsecret" not in str(error)


async def test_an_immutable_field_is_named_and_the_template_not_repeated(admin: client.Client, namespace: str) -> None:
    job = {"metadata": {"name": "j"}, "spec": {"template": {"spec": pod()["spec"]}}}
    made = await admin.create(kinds.JOB, namespace, job)
    # Unconditionally: the Job's controller writes to it meanwhile.
    del made["metadata"]["resourceVersion"]
    made["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "TOKEN", "value": "topsecret"}]
    error = await refusal(admin.replace(kinds.JOB, namespace, made))
    assert error.message == "Job j is refused: spec.template: field is immutable"


async def test_a_namespace_that_ends_is_quiet(admin: client.Client, namespace: str, kubectl: Kubectl) -> None:
    await admin.create(CONFIG_MAP, namespace, config_map("holds", finalizers=["example.com/hold"]))
    kubectl("delete", "namespace", namespace, "--wait=false")
    error = await refusal(admin.create(kinds.POD, namespace, pod()))
    assert isinstance(error, errors.Waiting)
    assert error.reason == "NamespaceTerminating"
    await admin.patch(CONFIG_MAP, namespace, "holds", {"metadata": {"finalizers": None}})


async def test_a_webhook_that_is_down_is_not_the_users_error(
    admin: client.Client, namespace: str, kubectl: Kubectl
) -> None:
    hook = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": namespace},
        "webhooks": [
            {
                "name": "hook.example.com",
                "failurePolicy": "Fail",
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "timeoutSeconds": 1,
                "clientConfig": {"url": "https://127.0.0.1:1/"},
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "rules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
                ],
            }
        ],
    }
    kubectl("apply", "-f", "-", given=hook)
    try:
        error: errors.OperatorError | None = None
        for attempt in range(500):
            try:
                await admin.create(CONFIG_MAP, namespace, config_map(f"c{attempt}"), dry_run=True)
            except errors.OperatorError as refused:
                error = refused
                break
        assert isinstance(error, errors.Retryable)
        assert error.reason == "WebhookUnavailable"
        assert "webhook hook.example.com does not answer" in error.message
        assert "127.0.0.1" not in error.message
    finally:
        kubectl("delete", "validatingwebhookconfiguration", namespace)


async def test_nobody_there_is_an_outage_and_not_a_crash(api_cluster: cluster.Cluster, tmp_path: Path) -> None:
    elsewhere = tmp_path / "kubeconfig"
    elsewhere.write_text(api_cluster.kubeconfig.read_text().replace(api_cluster.server, "https://127.0.0.1:1"))
    async with connected(elsewhere) as nowhere:
        error = await refusal(nowhere.get(kinds.POD, "default", "p"))
    assert (error.reason, isinstance(error, errors.Retryable)) == ("APIUnavailable", True)
    assert "127.0.0.1" not in error.message


async def test_a_renewed_token_is_picked_up_without_a_restart(
    api_cluster: cluster.Cluster, namespace: str, kubectl: Kubectl, tmp_path: Path
) -> None:
    def token() -> str:
        return kubectl("create", "token", "default", "-n", namespace).strip()

    file, kubeconfig = tmp_path / "token", tmp_path / "kubeconfig"
    file.write_text("expired")
    kubeconfig.write_text(
        f"""
apiVersion: v1
kind: Config
current-context: c
clusters: [{{name: c, cluster: {{server: "{api_cluster.server}", certificate-authority: "{api_cluster.ca_file}"}}}}]
users: [{{name: u, user: {{tokenFile: "{file}"}}}}]
contexts: [{{name: c, context: {{cluster: c, user: u}}}}]
"""
    )
    async with connected(kubeconfig) as user:
        assert isinstance(await refusal(user.get(kinds.POD, namespace, "p")), faults.Unauthorized)
        file.write_text(token())
        error = await refusal(user.get(kinds.POD, namespace, "p"))
    assert error.reason == "Forbidden"
    assert f"system:serviceaccount:{namespace}:default" in error.message
