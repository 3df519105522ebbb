"""The support bundle holds what helps, no secret, and says what it could not read instead of failing."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hack.cluster import cluster
from hack.seldon import wire
from tests.support import clusters, ground, manifests, release
from tests.support.ground import Ground

Object = dict[str, Any]

CANARY = "correct-horse-battery-staple"
TRAIN = {ground.STEP: "train"}


def make(kubeconfig: Path, into: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Make a bundle as a user does."""
    file = into / "bundle.tar.gz"
    command = [sys.executable, "-m", "hack.support", f"--kubeconfig={kubeconfig}", f"--output={file}", *flags]
    return subprocess.run(command, cwd=clusters.ROOT, capture_output=True, text=True, check=False)


def opened(into: Path) -> dict[str, str]:
    """Return the files of the bundle, by their names below its folder."""
    with tarfile.open(into / "bundle.tar.gz") as tar:
        found = {}
        for entry in tar:
            body = tar.extractfile(entry)
            assert body
            found[entry.name.partition("/")[2]] = body.read().decode()
    return found


def asked(here: Ground, user: str) -> Iterator[Object]:
    """Yield every request that a user made, by the API server's audit log."""
    for line in here.cluster.audit_log.read_text().splitlines():
        if f'"{user}"' in line:
            entry = json.loads(line)
            if entry["user"]["username"] == user:
                yield entry


def operator_labels() -> dict[str, str]:
    """Return the labels of the operator's pod, of a release whose values give it other names than usual."""
    found = release.rendered({"nameOverride": "other", "fullnameOverride": "another"})
    [deployment] = [one for one in found if one["kind"] == "Deployment"]
    return dict(deployment["spec"]["template"]["metadata"]["labels"])


def operator_deployment() -> Object:
    """Return a Deployment that stands for the chart's: the operator of these tests is a process and no pod."""
    labels = operator_labels()
    container = {
        "name": "operator",
        "image": "registry.example/modelpipeline/operator:1",
        "env": [{"name": "PROXY_PASSWORD", "value": CANARY}],
        "ports": [{"containerPort": 8080}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "modelpipeline-operator", "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def pipeline(name: str) -> Object:
    """Return a pipeline with a secret in every place where people put one."""
    trainer = manifests.train(
        args=["train.py", "--token", CANARY],
        env=[
            {"name": "DB_PASSWORD", "value": CANARY},
            {"name": "SOURCE", "value": f"https://me:{CANARY}@data.example/set"},
            {"name": "FROM", "valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}}},
        ],
    )
    made = manifests.pipeline(name, train=trainer, parameters={"api_key": CANARY}, storage=manifests.storage())
    made["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(made["spec"])}
    return made


async def fail(here: Ground) -> None:
    """Bring about a run that failed, beside a Secret and an operator in a pod."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, "stringData": {"password": CANARY}}
    here.kubectl("apply", "-n", here.namespace, "-f", "-", given=secret)
    log = f"reading the set\npassword={CANARY}\nValueError: no rows\n"
    here.node.script(TRAIN, exit_code=1, message="ValueError: no rows", log=log)
    here.node.script(operator_labels(), log='{"event": "working"}\n')
    here.kubectl("apply", "-n", here.namespace, "-f", "-", given=operator_deployment())
    await here.apply(pipeline("digits"))
    await here.stalled("digits")
    await here.until_any(wire.DEPLOYMENTS, "modelpipeline-operator", lambda d: d["status"]["readyReplicas"] == 1)


async def test_it_holds_what_helps_and_no_secret(here: Ground, tmp_path: Path) -> None:
    user = f"supporter-{here.namespace}"
    admin = here.cluster.kubeconfig_for(user, ("system:masters",))
    where = (f"--namespace={here.namespace}", f"--operator-namespace={here.namespace}")
    await fail(here)
    port = next(entry["port"] for entry in here.operator.said if entry["event"] == "listening")
    url = f"--metrics-url=http://127.0.0.1:{port}/metrics"
    done = await asyncio.to_thread(make, admin, tmp_path, *where, url)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("bundle.tar.gz")
    assert (tmp_path / "bundle.tar.gz").stat().st_mode & 0o077 == 0, "for its owner only"

    files = opened(tmp_path)
    folder = f"namespaces/{here.namespace}"
    assert "TrainingFailed" in files[f"{folder}/pipelines/digits.yaml"]
    assert {
        f"{folder}/{name}.yaml" for name in ("namespace", "jobs", "pods", "persistentvolumeclaims", "events")
    } <= set(files)
    assert {f"cluster/{name}.yaml" for name in ("version", "nodes", "storageclasses", "crds")} <= set(files)
    assert "modelpipelines.modelpipeline.dev" in files["cluster/crds.yaml"]
    assert "modelpipeline_operator_runs_ended_total" in files["operator/metrics.txt"]
    (own,) = [name for name in files if name.startswith(f"operator/{here.namespace}/") and name.endswith(".log")]
    assert '"working"' in files[own]
    (failed,) = [name for name in files if name.startswith(f"{folder}/logs/")]
    assert "ValueError: no rows" in files[failed]

    index = files["README.md"]
    assert "| False TrainingFailed |" in index
    assert all(f"[{name}]({name})" in index for name in files if name != "README.md")
    # The played pod has no server that the API server could reach.
    assert "/proxy/metrics`: " in index.partition("## What could not be read")[2]

    assert {name for name, content in files.items() if CANARY in content} == set()
    requests = list(asked(here, user))
    assert len(requests) > 10
    assert {entry["verb"] for entry in requests} <= {"get", "list"}
    assert [entry["requestURI"] for entry in requests if "secrets" in entry["requestURI"]] == []


async def test_a_user_who_may_read_little_gets_a_bundle_that_says_what_is_missing(here: Ground, tmp_path: Path) -> None:
    user = f"reader-{here.namespace}"
    kubeconfig = here.cluster.kubeconfig_for(user)
    # As a team's member may have it: pipelines and pods, but no logs, and nothing outside the namespace.
    rules = ("--verb=get,list", "--resource=modelpipelines.modelpipeline.dev,pods")
    here.kubectl("create", "role", "reader", *rules, "-n", here.namespace)
    here.kubectl("create", "rolebinding", "reader", "--role=reader", f"--user={user}", "-n", here.namespace)
    await fail(here)
    flags = (f"--namespace={here.namespace}", "--pipeline=digits")
    done = await asyncio.to_thread(make, kubeconfig, tmp_path, *flags)
    assert done.returncode == 0, done.stderr
    assert "could not be read" in done.stderr
    files = opened(tmp_path)
    folder = f"namespaces/{here.namespace}"
    assert {f"{folder}/pipelines/digits.yaml", f"{folder}/pods.yaml"} <= set(files)
    unread = files["README.md"].partition("## What could not be read")[2]
    for what in ("/api/v1/nodes", f"/apis/batch/v1/namespaces/{here.namespace}/jobs", "/log`"):
        assert what in unread
    assert "forbidden" in unread


def test_when_nothing_can_be_read_at_all_there_is_no_bundle_and_it_says_why(
    api_cluster: cluster.Cluster, tmp_path: Path
) -> None:
    done = make(api_cluster.kubeconfig, tmp_path, "--timeout=0")
    assert done.returncode == 2
    assert "the time was over" in done.stderr
    assert not (tmp_path / "bundle.tar.gz").exists()
