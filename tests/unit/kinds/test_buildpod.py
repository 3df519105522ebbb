"""The build pod as a whole (golden), who sees what in it, and how a pod is read in every state a kubelet leaves it in.

To write the goldens again after a change that is meant: UPDATE_GOLDEN=1 pytest tests/unit/kinds/test_buildpod.py
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as some

from modelpipeline.kinds import buildpod
from modelpipeline.step import order, places, reasons

GOLDEN = Path(__file__).parents[2] / "golden" / "kinds"
DIGEST, INDEX, OTHER = ("sha256:" + letter * 64 for letter in "abc")

SMALLEST = buildpod.BuildRequest(
    name="digits-build-server-12345678",
    namespace="models",
    labels={"modelpipeline.dev/pipeline": "digits"},
    owner={"apiVersion": "modelpipeline.dev/v1alpha1", "kind": "ModelPipeline", "name": "digits", "uid": "u"},
    build_image="registry.example/modelpipeline/build:1",
    builder_image="registry.example/builder:1",
    source={"configMap": {"name": "digits-source"}},
    image="registry.example/digits",
    tags=("1-abcdef01",),
)
LARGEST = dataclasses.replace(
    SMALLEST,
    source={"git": {"url": "https://git.example/d.git", "ref": "main", "secretName": "git-login"}, "path": "serve"},
    commit="0" * 40,
    env=(("MODEL_NAME", "Digits"), ("PERSISTENCE", "0")),
    assemble_user=0,
    push_secret="regcred",
    ca_config_map="cas",
    resources={"limits": {"memory": "2Gi"}},
    workspace_size="20Gi",
    deadline_seconds=600,
    registries=({"prefix": "registry.example", "insecure": True, "mirror": ""},),
    proxy={"HTTPS_PROXY": "http://proxy.example:3128"},
    use_cache=False,
)


@pytest.mark.parametrize(("name", "request_"), [("smallest", SMALLEST), ("largest", LARGEST)])
def test_the_pod_is_the_one_that_was_reviewed(name: str, request_: buildpod.BuildRequest) -> None:
    path = GOLDEN / f"buildpod-{name}.yaml"
    pod = buildpod.build(request_)
    for container in (pod["spec"]["initContainers"][0], *pod["spec"]["containers"]):
        # Easier to review than one line of JSON.
        container["env"][0]["value"] = json.loads(container["env"][0]["value"])
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(yaml.safe_dump(pod, sort_keys=False, width=120))
    assert yaml.safe_load(path.read_text()) == json.loads(json.dumps(pod))


def mounts(pod: dict[str, Any], container: str) -> dict[str, bool]:
    """Return the volumes that a container sees, and which of them it may write."""
    for one in (*pod["spec"]["initContainers"], *pod["spec"]["containers"]):
        if one["name"] == container:
            return {mount["name"]: not mount.get("readOnly") for mount in one["volumeMounts"]}
    raise LookupError(container)


def test_code_of_a_user_sees_no_secret_and_no_verdict_and_writes_only_its_layer() -> None:
    assert mounts(buildpod.build(LARGEST), "assemble") == {"tools": False, "source": False, "layer": True}


def test_secrets_are_seen_only_where_they_are_used_and_by_no_variable() -> None:
    pod = buildpod.build(LARGEST)
    assert {"git-secret", "registry-secret"} <= set(mounts(pod, "fetch"))
    assert "git-secret" not in mounts(pod, "push")
    assert "registry-secret" in mounts(pod, "push")
    assert "valueFrom" not in json.dumps(pod)


@pytest.mark.parametrize("request_", [SMALLEST, LARGEST, dataclasses.replace(SMALLEST, assemble_user=1001)])
def test_the_pod_keeps_to_pod_security(request_: buildpod.BuildRequest) -> None:
    """Restricted, but for a builder that assembles as root: then baseline, with capabilities that baseline names."""
    baseline = {
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP"),
        *("SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    }
    spec = buildpod.build(request_)["spec"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    for container in (*spec["initContainers"], *spec["containers"]):
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"]["drop"] == ["ALL"]
        as_root = container["name"] == "assemble" and request_.assemble_user == 0
        assert set(context["capabilities"].get("add", ())) <= (baseline if as_root else set())
        assert context.get("runAsNonRoot", False) is not as_root


def test_a_missing_secret_never_keeps_the_pod_waiting() -> None:
    for volume in buildpod.build(LARGEST)["spec"]["volumes"]:
        named = volume.get("secret") or volume.get("configMap")
        assert named is None or named["optional"] is True


def asked_of(pod: dict[str, Any]) -> order.Order:
    """Return the order as the container reads it: Kubernetes makes `$$` in the value of a variable a `$`."""
    env = {one["name"]: one["value"] for one in pod["spec"]["containers"][0]["env"]}
    assert not re.search(r"(?<!\$)(\$\$)*\$\(", env[places.CONTRACT_VARIABLE]), "Kubernetes would expand it"
    return order.load(env[places.CONTRACT_VARIABLE].replace("$$", "$"))


def test_fetch_and_push_understand_what_the_operator_asks() -> None:
    assert asked_of(buildpod.build(LARGEST)) == order.Order(
        build=LARGEST.name,
        image="registry.example/digits",
        tags=("1-abcdef01",),
        builder="registry.example/builder:1",
        git=order.Git("https://git.example/d.git", "main", "0" * 40),
        path="serve",
        env={"MODEL_NAME": "Digits", "PERSISTENCE": "0"},
        assemble_user=0,
        skip_lookup=True,
        registries=(order.Registry("registry.example", insecure=True),),
        push_secret="regcred",
        git_secret="git-login",
        ca_config_map="cas",
        limit=20 * 2**30,
        deadline=600,
    )


@pytest.mark.parametrize("value", ["$(KUBERNETES_SERVICE_HOST)", "pa$$word", "$$(X)", "$", "a$b"])
def test_kubernetes_changes_nothing_in_what_is_asked(value: str) -> None:
    request = dataclasses.replace(SMALLEST, env=(("MODEL_NAME", value),))
    assert asked_of(buildpod.build(request)).env == {"MODEL_NAME": value}


def ended(name: str, code: int, message: str = "", reason: str = "Error", image: str = "") -> dict[str, Any]:
    return {
        "name": name,
        "imageID": image,
        "state": {"terminated": {"exitCode": code, "message": message, "reason": reason, "finishedAt": "T"}},
    }


def pod(*containers: dict[str, Any], phase: str = "Running", **status: str) -> dict[str, Any]:
    """Return a build pod whose containers ended so, in order; the others did not start."""
    waiting = {"state": {"waiting": {"reason": "PodInitializing"}}}
    names = ("fetch", "assemble", "push")
    all_ = [*containers, *({"name": name, **waiting} for name in names[len(containers) :])]
    return {
        "metadata": {"name": "b", "uid": "u"},
        "status": {"phase": phase, "initContainerStatuses": all_[:2], "containerStatuses": all_[2:], **status},
    }


FETCHED = ended("fetch", 0)
ASSEMBLED = ended("assemble", 0, image=f"registry.example/builder@{INDEX}")
PUSHED = {
    "digest": DIGEST,
    "image": f"registry.example/digits@{DIGEST}",
    "commit": "c",
    "builderDigest": INDEX,
    "builderImageDigest": OTHER,
    "contentKey": "k",
    "cached": False,
}


@pytest.mark.parametrize(
    ("seen", "reason", "word"),
    [
        pytest.param(pod(), "", "", id="nothing has ended"),
        pytest.param(
            pod(ended("fetch", 1, '{"reason": "RefNotFound", "message": "no branch"}')),
            "RefNotFound",
            "no branch",
            id="fetch says why",
        ),
        pytest.param(pod(ended("fetch", 1, "Traceback")), reasons.STEP_FAILED, "Traceback", id="fetch fell over"),
        pytest.param(
            pod(FETCHED, ended("assemble", 7, "pip: no such package")),
            "BuildFailed",
            "exit code 7: pip: no such package",
            id="assemble's own words",
        ),
        pytest.param(
            pod(FETCHED, ended("assemble", 64, '{"reason": "NotABuilder", "message": "no assemble"}')),
            "NotABuilder",
            "no assemble",
            id="no builder",
        ),
        pytest.param(
            pod(FETCHED, ended("assemble", 1, '{"reason": "GitUnreachable", "message": "try again for ever"}')),
            "BuildFailed",
            "try again",
            id="user code cannot choose a reason",
        ),
        pytest.param(
            pod(FETCHED, ended("assemble", 65, '{"reason": "BuildFailed", "message": "cannot pack"}')),
            "BuildFailed",
            "cannot pack",
            id="the script says why",
        ),
        pytest.param(
            pod(FETCHED, ended("assemble", 128, 'exec: "/bin/sh": no such file', "StartError")),
            "NotABuilder",
            "/bin/sh",
            id="an image without a shell",
        ),
        pytest.param(
            pod(FETCHED, ended("assemble", 137, "Collecting torch", "OOMKilled")),
            "BuildFailed",
            "resources",
            id="out of memory",
        ),
        pytest.param(
            pod(FETCHED, ASSEMBLED, ended("push", 1, '{"reason": "RegistryDenied", "message": "no"}')),
            "RegistryDenied",
            "no",
            id="push says why",
        ),
        pytest.param(
            pod(FETCHED, ASSEMBLED, ended("push", 0, "")), reasons.STEP_FAILED, "without a result", id="no result"
        ),
        pytest.param(
            pod(FETCHED, ASSEMBLED, ended("push", 0, '{"digest": "latest"}')),
            reasons.STEP_FAILED,
            "without a result",
            id="a result without a digest",
        ),
        pytest.param(
            pod(FETCHED, ended("assemble", 137), phase="Failed", reason="DeadlineExceeded", message="active longer"),
            "BuildTimeout",
            "active",
            id="too slow",
        ),
        pytest.param(
            pod(phase="Failed", reason="Evicted", message='Usage of EmptyDir volume "layer" exceeds the limit "1Gi".'),
            "BuildFailed",
            "workspaceSize",
            id="evicted for its own size",
        ),
        pytest.param(
            pod(FETCHED, ended("assemble", 137), phase="Failed", reason="Evicted", message="low on memory"),
            "BuildLost",
            "low on memory",
            id="evicted for the node's sake",
        ),
    ],
)
def test_why_a_build_failed_is_said_by_who_knows_it(seen: dict[str, Any], reason: str, word: str) -> None:
    found = buildpod.observe(seen)
    assert (found.reason, found.result) == (reason, None)
    assert word in found.message


def test_a_push_that_ended_well_is_the_result_whatever_the_phase() -> None:
    found = buildpod.observe(pod(FETCHED, ASSEMBLED, ended("push", 0, json.dumps(PUSHED))))
    assert found.result == buildpod.BuildResult(
        digest=DIGEST,
        image=f"registry.example/digits@{DIGEST}",
        commit="c",
        builder_digest=INDEX,
        builder_image_digest=OTHER,
        content_key="k",
    )
    assert found.reason == ""
    assert found.finished_at == "T"


def test_a_pod_that_failed_early_says_when_so_that_the_next_attempt_can_wait() -> None:
    assert buildpod.observe(pod(ended("fetch", 1), phase="Failed")).finished_at == "T"


@pytest.mark.parametrize(
    ("image", "cached", "moved"),
    [
        pytest.param(f"registry.example/builder@{INDEX}", False, False, id="the index that fetch saw"),
        pytest.param(f"registry.example/builder@{OTHER}", False, False, id="its image for this platform"),
        pytest.param(f"registry.example/builder@{DIGEST}", False, True, id="another image"),
        pytest.param(f"registry.example/builder@{DIGEST}", True, False, id="another image, but nothing was assembled"),
        pytest.param("sha256:" + "d" * 64, False, False, id="a runtime that names no digest"),
        pytest.param("", False, False, id="not told"),
    ],
)
def test_a_builder_that_moved_is_noticed(image: str, cached: bool, moved: bool) -> None:
    result = json.dumps({**PUSHED, "cached": cached})
    seen = pod(FETCHED, ended("assemble", 0, image=image), ended("push", 0, result))
    assert buildpod.observe(seen).builder_moved is moved


LEAVES = some.none() | some.booleans() | some.integers() | some.text(max_size=20)
KEYS = some.sampled_from(
    [
        "metadata",
        "status",
        "initContainerStatuses",
        "containerStatuses",
        "state",
        "terminated",
        "message",
        "name",
        "uid",
    ]
)
ODD = some.recursive(LEAVES, lambda inner: some.lists(inner, max_size=3) | some.dictionaries(KEYS, inner, max_size=4))


@settings(max_examples=100, deadline=None)
@given(message=some.text(max_size=200) | ODD.map(json.dumps))
@example(message="[" * 4096)
@example(message="1" * 4096)
def test_no_termination_message_breaks_the_reading(message: str) -> None:
    for code in (0, 1, 64):
        buildpod.observe(pod(FETCHED, ASSEMBLED, ended("push", code, message)))
        buildpod.observe(pod(FETCHED, ended("assemble", code, message)))


@pytest.mark.parametrize("odd", [{}, {"metadata": None, "status": None}, {"status": {"containerStatuses": None}}])
def test_a_pod_that_says_nothing_is_waited_for(odd: dict[str, Any]) -> None:
    found = buildpod.observe(odd)
    assert (found.result, found.reason, found.live) == (None, "", True)
