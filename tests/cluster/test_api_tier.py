"""The api tier keeps what its users rely on: one cluster a name, several side by side, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import tenacity

from hack.cluster import cluster, health, places, processes
from tests.cluster import leftovers
from tests.cluster.conftest import Tool
from tests.support import clusters
from tests.support.kubectl import Kubectl

pytestmark = [pytest.mark.api, pytest.mark.timeout(600, func_only=True)]

Names = Callable[[], str]


def test_a_second_up_returns_the_running_cluster(new_name: Names) -> None:
    name = new_name()
    first = cluster.up(tier="api", name=name)
    before = processes.recorded(first.state)
    assert cluster.up(tier="api", name=name) == first
    assert processes.recorded(first.state) == before, "nothing was started again"


def test_two_ups_at_the_same_moment_are_one(new_name: Names, tool: Tool) -> None:
    name = new_name()
    both = [tool("up", "--tier", "api", "--name", name) for _ in range(2)]
    assert [each.wait() for each in both] == [0, 0]
    found = cluster.find(name)
    assert found
    assert health.whole(found.state, found.files, found.server)
    assert sum("etcd" in argv(pid) for pid in marked(found.state)) == 1


def test_clusters_side_by_side_do_not_see_each_other(new_name: Names) -> None:
    one, other = (clusters.kubectl(cluster.up(tier="api", name=new_name())) for _ in range(2))
    one("create", "namespace", "only-here")
    assert "not found" in other.refused("get", "namespace", "only-here")


def test_a_name_stands_for_one_tier(new_name: Names, tool: Tool) -> None:
    name = new_name()
    cluster.up(tier="api", name=name)
    said = refusal(tool("up", "--tier", "node", "--name", name))
    assert f"down --name {name}" in said


def test_a_cluster_that_lost_a_process_is_made_anew(new_name: Names) -> None:
    name = new_name()
    first = cluster.up(tier="api", name=name)
    victim = next(each for each in processes.recorded(first.state) if each.name == "etcd")
    os.kill(victim.pid, signal.SIGKILL)
    for attempt in tenacity.Retrying(stop=tenacity.stop_after_delay(30), wait=tenacity.wait_fixed(0.02), reraise=True):
        with attempt:
            assert not processes.alive(victim), "a killed process ends a moment later"
    second = cluster.up(tier="api", name=name)
    clusters.kubectl(second)("create", "namespace", "works")
    assert sum("etcd" in argv(pid) for pid in marked(second.state)) == 1


def test_garbage_is_collected_and_jobs_get_pods(new_name: Names) -> None:
    kubectl = clusters.kubectl(cluster.up(tier="api", name=new_name()))
    kubectl("wait", "--for=create", "serviceaccount/default", "--timeout=60s")
    kubectl("create", "job", "work", "--image=nothing:1")
    kubectl("wait", "--for=create", "pod", "--selector=job-name=work", "--timeout=60s")
    kubectl("delete", "job", "work", "--cascade=background")
    kubectl("wait", "--for=delete", "pod", "--selector=job-name=work", "--timeout=60s")


def test_the_audit_log_tells_who_wrote(new_name: Names) -> None:
    up = cluster.up(tier="api", name=new_name())
    clusters.kubectl(up)(
        "create", "clusterrolebinding", "operator", "--clusterrole=admin", "--user=modelpipeline-operator"
    )
    operator = Kubectl(up.binary("kubectl"), up.kubeconfig_for("modelpipeline-operator"))
    # The authorizer learns of a new binding by a watch.
    for attempt in tenacity.Retrying(stop=tenacity.stop_after_delay(30), wait=tenacity.wait_fixed(0.2), reraise=True):
        with attempt:
            operator("create", "configmap", "mine", "-n", "default")
    lines = [json.loads(line) for line in up.audit_log.read_text().splitlines()]
    ours = [line for line in lines if line["user"]["username"] == "modelpipeline-operator" and line["verb"] == "create"]
    stored = [line for line in ours if line["responseStatus"]["code"] == 201]
    assert [line["objectRef"]["resource"] for line in stored] == ["configmaps"]
    assert {line["stage"] for line in lines} <= {"ResponseComplete", "Panic"}


def test_whoever_asks_for_it_is_a_service_account(new_name: Names) -> None:
    up = cluster.up(tier="api", name=new_name())
    clusters.kubectl(up)("wait", "--for=create", "serviceaccount/default", "--timeout=60s")
    account = Kubectl(up.binary("kubectl"), up.kubeconfig_of("default", "default"))
    told = json.loads(account("auth", "whoami", "-o", "json"))["status"]["userInfo"]
    assert told["username"] == "system:serviceaccount:default:default"
    assert {"system:serviceaccounts", "system:serviceaccounts:default"} <= set(told["groups"])


def test_down_leaves_nothing(new_name: Names, tool: Tool) -> None:
    name = new_name()
    cluster.up(tier="api", name=name)
    assert leftovers.of(name), "the look-up sees a running cluster"
    assert tool("down", "--name", name).wait() == 0
    assert leftovers.of(name) == []


@pytest.mark.parametrize("moment", ["pki/ca.key", "processes/etcd.json", "processes/kube-apiserver.json"])
def test_down_leaves_nothing_of_a_killed_up(new_name: Names, tool: Tool, moment: str) -> None:
    name = new_name()
    kill_when(places.state(name) / moment, tool("up", "--tier", "api", "--name", name))
    cluster.down(name)
    assert leftovers.of(name) == []


def test_up_after_a_killed_up_works(new_name: Names, tool: Tool) -> None:
    name = new_name()
    kill_when(places.state(name) / "processes/kube-apiserver.json", tool("up", "--tier", "api", "--name", name))
    clusters.kubectl(cluster.up(tier="api", name=name))("get", "namespaces")


def test_it_needs_no_root(new_name: Names, tool: Tool, tmp_path: Path) -> None:
    name = new_name()
    nobody = ("unshare", "--user", "--map-user=65534", "--map-group=65534")
    places_of_mine = {"XDG_STATE_HOME": str(tmp_path)}
    try:
        assert tool("up", "--tier", "api", "--name", name, before=nobody, **places_of_mine).wait() == 0
    finally:
        assert tool("down", "--name", name, **places_of_mine).wait() == 0
    assert list(tmp_path.rglob(f"{name}*")) == []


@pytest.mark.parametrize(
    ("words", "lacking", "cure"),
    [
        (("up", "--tier", "api"), {"PATH": "/nowhere"}, "https://go.dev/dl"),
        (("up", "--tier", "api", "--name", "No_Name"), {}, "--name demo"),
        (("env",), {}, "-m hack.cluster up"),
        (("up", "--tier", "api"), {"XDG_STATE_HOME": "/dev/null/nowhere"}, "set XDG_STATE_HOME"),
    ],
    ids=["no Go and no binaries", "a name that is none", "a cluster that is none", "no place for the state"],
)
def test_what_is_missing_is_one_line_with_the_cure(
    tool: Tool, tmp_path: Path, words: tuple[str, ...], lacking: dict[str, str], cure: str
) -> None:
    empty = {"XDG_CACHE_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path), "MODELPIPELINE_KUBE_BIN": None}
    assert cure in refusal(tool(*words, **{**empty, **lacking}))


def test_a_pid_that_now_belongs_to_another_is_left_alone(tmp_path: Path) -> None:
    ours = processes.start(tmp_path, "ours", ["sleep", "600"])
    stranger = processes.start(tmp_path / "other", "stranger", ["sleep", "600"])
    record = tmp_path / "processes" / "ours.json"
    record.write_text(json.dumps({"name": "ours", "pid": stranger.pid, "started": ours.started}))
    try:
        processes.stop(tmp_path)
        assert not processes.alive(ours), "found by its mark although its record is wrong"
        assert processes.alive(stranger)
    finally:
        processes.stop(tmp_path / "other")


def refusal(process: subprocess.Popen[str]) -> str:
    """Return the one line of a refused command."""
    out, err = process.communicate()
    assert process.returncode == 2, (out, err)
    assert out == ""
    (line,) = err.strip().splitlines()
    return str(line)


def kill_when(path: Path, process: subprocess.Popen[str]) -> None:
    """Kill the process as soon as the file is there."""
    for attempt in tenacity.Retrying(stop=tenacity.stop_after_delay(60), wait=tenacity.wait_fixed(0.005), reraise=True):
        with attempt:
            assert path.exists()
    process.send_signal(signal.SIGKILL)
    process.wait()


def marked(state: Path) -> list[int]:
    """List the processes that carry the cluster's mark."""
    mark = f"{processes.MARK}={state}\0".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def argv(pid: int) -> str:
    """Return the program of a process."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()
    except OSError:
        return ""
