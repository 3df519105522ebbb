"""Build pods on a real node, without the operator: what comes out of builders with awkward and with evil habits.

Here: the pushed image against what assemble left, and acceptance case 72. Elsewhere: the whole way with a build in it
(test_case_19), sources and registries that fail (test_failures), the script alone under several shells
(test_build_script).
"""

from __future__ import annotations

import base64
import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tenacity

from hack.images import images
from modelpipeline.kinds import buildpod
from tests.builders import filesystem
from tests.node import place
from tests.support import clusters
from tests.support.kubectl import Kubectl

BUILDERS = clusters.ROOT / "tests" / "builders"
CANARY = "hunter2-of-this-test"
BY_KUBELET = ("etc/hosts", "etc/hostname", "etc/resolv.conf")
NOT_OURS = ("modelpipeline", "proc", "dev", "sys")
# Only ends a test that waits for what never comes.
PATIENCE = 240


@dataclass(frozen=True)
class Yard:
    """Where build pods of a test run."""

    here: place.Place
    kubectl: Kubectl
    namespace: str

    def builder(self, name: str) -> str:
        """Provide one of the builders beside these tests and return its name."""
        cluster = self.here.cluster
        base = "modelpipeline/build:dev"
        return images.build(cluster, name=f"builder-{name}", tag="1", context=BUILDERS / name, base=base)

    def build(self, builder: str, files: dict[str, str], **more: Any) -> tuple[buildpod.BuildObservation, str]:
        """Run one build of a ConfigMap to its end; return what the operator would see, and all logs."""
        name = f"build-{uuid.uuid4().hex[:8]}"
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": files}
        self.kubectl("create", "-n", self.namespace, "-f", "-", given=body)
        owner = self.kubectl.json("get", "configmap", name, "-n", self.namespace)
        return self.run(self.request(name, builder, owner["metadata"]["uid"], **more))

    def request(self, name: str, builder: str, uid: str, **more: Any) -> buildpod.BuildRequest:
        registry = self.here.cluster.registry
        return buildpod.BuildRequest(
            name=name,
            namespace=self.namespace,
            labels={},
            owner={"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": uid},
            build_image=self.here.images["build"],
            builder_image=builder,
            source={"configMap": {"name": name}},
            image=f"{registry}/{self.namespace}/out",
            tags=("1-run",),
            registries=({"prefix": registry, "insecure": True},),
            **more,
        )

    def run(self, request: buildpod.BuildRequest) -> tuple[buildpod.BuildObservation, str]:
        self.kubectl("create", "-f", "-", given=buildpod.build(request))

        def look() -> buildpod.BuildObservation:
            return buildpod.observe(self.kubectl.json("get", "pod", request.name, "-n", self.namespace))

        ended = tenacity.Retrying(
            wait=tenacity.wait_fixed(0.3),
            stop=tenacity.stop_after_delay(PATIENCE),
            retry=tenacity.retry_if_result(lambda seen: not seen.result and not seen.reason),
            retry_error_callback=lambda state: state.outcome and state.outcome.result(),
        )(look)
        logs = self.kubectl("logs", request.name, "-n", self.namespace, "--all-containers", "--ignore-errors")
        return ended, logs

    def tags(self) -> dict[str, str]:
        return self.here.shelf.tags(f"{self.namespace}/out")


@pytest.fixture
def yard(here: place.Place, node_kubectl: Kubectl, node_namespace: str) -> Yard:
    return Yard(here, node_kubectl, node_namespace)


def test_builder_and_layer_are_what_assemble_left(yard: Yard, tmp_path: Path) -> None:
    """Assembled as root without bash or tar; the image that a node would unpack is what was left, file by file."""
    builder = yard.builder("awkward")
    env = (("LIST", "yes"), ("MODEL_NAME", "it's $(id)"))
    seen, logs = yard.build(builder, {"Digits.py": "class Digits: pass"}, assemble_user=0, env=env)
    assert seen.result, f"{seen.reason}: {seen.message}\n{logs}"
    left = listed(logs, tmp_path)
    image = listed(run_list(yard, seen.result.image), tmp_path)
    for name in BY_KUBELET:
        left.pop(name, None)
        image.pop(name, None)
    assert len(left) > 100
    assert {name: (left[name], image.get(name)) for name in left if left[name] != image.get(name)} == {}
    assert set(image) - set(left) == set()
    assert (left["app/model-name"].kind, "opt/awkward/gone" in image) == ("file", False)
    config = yard.here.shelf.config(seen.result.image)["config"]
    before = yard.here.shelf.config(builder)["config"]
    assert config["User"] == "8888", "assembled as root, runs as the builder says"
    assert config["Cmd"] == ["/usr/libexec/s2i/run"]
    assert config["Entrypoint"] == before["Entrypoint"]
    assert len(yard.here.shelf.layers(seen.result.image)) == len(yard.here.shelf.layers(builder)) + 1
    assert set(yard.tags()) == {"1-run", f"k-{seen.result.content_key}"}


def listed(logs: str, folder: Path) -> dict[str, filesystem.File]:
    """Read the file system that the builder's `list` printed."""
    assert "--- file system" in logs, logs
    text = logs.partition("--- file system\n")[2].partition("\n---")[0]
    (folder / "listed.tar.gz").write_bytes(base64.b64decode(text))
    return filesystem.of_archive(folder / "listed.tar.gz", NOT_OURS)


def run_list(yard: Yard, image: str) -> str:
    """Let the node unpack and run the image, and return what `list` says inside."""
    name = f"list-{uuid.uuid4().hex[:8]}"
    container = {
        "name": "list",
        "image": image,
        "command": ["/usr/libexec/s2i/list"],
        "securityContext": {"runAsUser": 0, "seccompProfile": {"type": "RuntimeDefault"}},
    }
    spec = {"restartPolicy": "Never", "automountServiceAccountToken": False, "containers": [container]}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
    yard.kubectl("create", "-n", yard.namespace, "-f", "-", given=body)
    yard.kubectl(
        "wait",
        "-n",
        yard.namespace,
        f"pod/{name}",
        "--for=jsonpath={.status.phase}=Succeeded",
        f"--timeout={PATIENCE}s",
    )
    return yard.kubectl("logs", "-n", yard.namespace, name)


def test_a_second_build_of_the_same_is_found_and_not_assembled(yard: Yard) -> None:
    builder = yard.builder("plain")
    first, _ = yard.build(builder, {"a": "1"}, env=(("GREETING", "hello"),))
    again, logs = yard.build(builder, {"a": "1"}, env=(("GREETING", "hello"),))
    other, _ = yard.build(builder, {"a": "2"}, env=(("GREETING", "hello"),))
    anew, _ = yard.build(builder, {"a": "1"}, env=(("GREETING", "hello"),), use_cache=False)
    assert first.result, first
    assert again.result, again
    assert other.result, other
    assert anew.result, anew
    cached = [seen.result.cached for seen in (first, again, other, anew) if seen.result]
    assert cached == [False, True, False, False]
    assert first.result.digest == again.result.digest != other.result.digest
    assert "nothing to assemble" in logs
    assert yard.tags()[f"k-{first.result.content_key}"] == anew.result.digest


def test_a_builder_that_assembles_as_itself_needs_only_restricted(yard: Yard) -> None:
    yard.kubectl("label", "namespace", yard.namespace, "--overwrite", "pod-security.kubernetes.io/enforce=restricted")
    seen, logs = yard.build(yard.builder("plain"), {"a": "1"}, env=(("GREETING", "hello"),))
    assert seen.result, f"{seen.reason}: {seen.message}\n{logs}"
    assert "installed for 1001" in logs


@pytest.mark.parametrize(
    ("builder", "more", "reason", "word"),
    [
        pytest.param("plain", {}, "MissingS2IEnvironment", "GREETING", id="a key that nobody gives"),
        pytest.param("awkward", {}, "AssembleUserNeeded", "assembleUser: 0", id="root that nobody allowed"),
    ],
)
def test_what_a_builder_wants_is_said_before_it_runs(
    yard: Yard, builder: str, more: dict[str, Any], reason: str, word: str
) -> None:
    seen, logs = yard.build(yard.builder(builder), {"a": "1"}, **more)
    assert (seen.reason, seen.result) == (reason, None), logs
    assert word in seen.message
    assert yard.tags() == {}


def test_an_image_without_scripts_is_no_builder(yard: Yard) -> None:
    base = f"{yard.here.cluster.registry}/modelpipeline/build:dev"
    seen, logs = yard.build(base, {"a": "1"})
    assert seen.reason == "NotABuilder", f"{seen.message}\n{logs}"
    assert "builderImage" in seen.message


@pytest.mark.parametrize("code", [1, 42])
def test_assembles_last_words_are_the_message(yard: Yard, code: int) -> None:
    env = (("GREETING", "hello"),)
    seen, _ = yard.build(yard.builder("plain"), {"fail": str(code)}, env=env)
    assert seen.reason == "BuildFailed"
    assert f"exit code {code}" in seen.message
    assert seen.message.rstrip().endswith("assemble: the last words")
    assert yard.tags() == {}


ATTACKS = (
    *("link", "list-link", "secret-link", "pipe", "pipe-inside", "outside", "huge", "whiteout", "deleted"),
    "hard-link",
)


@pytest.mark.parametrize("attack", ATTACKS)
def test_case_72_a_layer_that_is_none_is_refused(yard: Yard, attack: str) -> None:
    secret = {"username": "pusher", "password": CANARY}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "regcred"}, "stringData": secret}
    yard.kubectl("create", "-n", yard.namespace, "-f", "-", given=body)
    seen, logs = yard.build(yard.builder("hostile"), {"attack": attack}, push_secret="regcred")
    assert (seen.reason, seen.result) == ("LayerRefused", None), f"{seen.message}\n{logs}"
    assert yard.tags() == {}, "nothing is pushed, no tag moves"
    encoded = base64.b64encode(f"pusher:{CANARY}".encode()).decode()
    everything = logs + seen.message + json.dumps(yard.kubectl.json("get", "pods,events", "-n", yard.namespace))
    assert CANARY not in everything
    assert encoded not in everything


def test_the_attacks_are_refused_for_what_they_are(yard: Yard) -> None:
    """Without an attack the same builder's layer is taken."""
    seen, logs = yard.build(yard.builder("hostile"), {"attack": "nothing"})
    assert seen.result, f"{seen.reason}: {seen.message}\n{logs}"
