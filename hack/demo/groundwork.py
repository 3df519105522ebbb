"""What has to be there before a pipeline can be applied: cluster, images, git server, namespaces, Seldon, operator.

Each step finds what an earlier run made and makes only what is missing. What happens then: story.py.
"""

import contextlib
import datetime
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import tenacity

from hack.cluster import cluster as clusters
from hack.cluster import places
from hack.cluster.cluster import Cluster
from hack.demo import certificates, faults, kubectl, manifest, ports, processes, release, repository, screen
from hack.images import images

PROJECT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = PROJECT / "examples" / "digits"
NAMESPACE = "default"
PIPELINE = "digits"
GIT, SELDON = "git-server", "seldon-stand-in"
TRAIN_IMAGE, BUILDER_IMAGE = "digits-train:1", "digits-builder:1"
BUILD_IMAGE, OPERATOR_IMAGE = "modelpipeline/build:dev", "modelpipeline/operator:dev"
VALUES = "operator-values.yaml"
PATIENCE = 60.0  # seconds that a process may take until it answers


@dataclass(frozen=True)
class Options:
    """What the user chose."""

    name: str = "demo"
    tier: str = "node"


@dataclass
class Ground:
    """What stands when the groundwork is done."""

    cluster: Cluster
    state: pathlib.Path
    manifest: pathlib.Path
    edited: bool = False
    took: list[tuple[str, float]] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """How long all of it took."""
        return sum(seconds for _, seconds in self.took)


def state_of(name: str) -> pathlib.Path:
    """Return the demo's state folder."""
    return places.clusters().parent / "demo" / name


def lay(options: Options, show: screen.Screen) -> Ground:
    """Make everything that is missing, one line a step."""
    state = state_of(options.name)
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    took: list[tuple[str, float]] = []

    @contextlib.contextmanager
    def step(text: str, *, talks: bool = False) -> Iterator[None]:
        began = time.monotonic()
        # What reports its own progress must not have a wheel turning through its lines.
        with contextlib.nullcontext() if talks else show.working(text):
            yield
        took.append((text, time.monotonic() - began))
        show.step(text, took[-1][1])

    with step(f"cluster ({options.tier} tier)", talks=True):
        cluster = clusters.up(tier=options.tier, name=options.name)
    with step("images", talks=True):
        pinned = _images(cluster)
    with step("git server with a certificate of its own CA"):
        git_url, authority = _git_server(cluster, state)
    with step("namespaces that enforce Pod Security"):
        _objects(cluster, authority)
    with step("Seldon stand-in"):
        _seldon(cluster, state)
    with step(f"operator: helm upgrade --install {release.RELEASE}"):
        values = release.values(cluster.registry, pinned[OPERATOR_IMAGE], pinned[BUILD_IMAGE])
        release.ensure(cluster, state / VALUES, values)
    file = state / f"{PIPELINE}.yaml"
    places_of_it = manifest.Places(cluster.registry, git_url, pinned)
    edited = manifest.ensure(EXAMPLE / "pipeline.yaml", file, places_of_it, NAMESPACE)
    return Ground(cluster, state, file, edited, took)


def _images(cluster: Cluster) -> dict[str, str]:
    """Put the images into the cluster's registry and return each by its digest; what was built before is cached."""
    for room in ("train", "builder"):
        images.build(cluster, name=f"{PIPELINE}-{room}", tag="1", context=EXAMPLE / room)
    images.build_image(cluster)
    images.operator_image(cluster)
    return {name: _pinned(cluster, name) for name in (TRAIN_IMAGE, BUILDER_IMAGE, BUILD_IMAGE, OPERATOR_IMAGE)}


def _pinned(cluster: Cluster, name: str) -> str:
    # The registry is on this machine: no proxy of the user's shell leads there.
    environment = os.environ | {"NO_PROXY": cluster.registry.partition(":")[0]}
    command = [str(cluster.binary("crane")), "digest", "--insecure", f"{cluster.registry}/{name}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise faults.DemoError(
            f"{name} is not in the cluster's registry: {done.stderr.strip()}; make demo-down, make demo"
        )
    return f"{cluster.registry}/{name.partition(':')[0]}@{done.stdout.strip()}"


def _git_server(cluster: Cluster, state: pathlib.Path) -> tuple[str, str]:
    """Serve the example as a repository; returns its URL and the authority to trust."""
    root = state / "git"
    repository.ensure(EXAMPLE, root / f"{PIPELINE}.git")
    files = certificates.ensure(state / "certificates", cluster.address, datetime.datetime.now(datetime.UTC))
    port = ports.ensure(state / "git.port", cluster.address, in_use_by_us=processes.find(state, GIT) is not None)
    command = [sys.executable, "-m", "hack.demo.gitserver", "--root", str(root)]
    command += ["--address", cluster.address, "--port", str(port)]
    command += ["--certificate", str(files.certificate), "--key", str(files.key)]
    sources = [PROJECT / "hack" / "demo" / "gitserver.py", files.certificate]
    processes.ensure(state, GIT, command, fingerprint(command, sources))
    _until(state, GIT, lambda: ports.answers(cluster.address, port))
    return f"https://{cluster.address}:{port}/{PIPELINE}.git", files.ca.read_text()


def _objects(cluster: Cluster, authority: str) -> None:
    trust = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "git-ca", "namespace": NAMESPACE},
        "data": {"ca.crt": authority},
    }
    # Build pods need no more than baseline, the operator no more than restricted.
    kubectl.apply(cluster, [_namespace(NAMESPACE, "baseline"), _namespace(release.NAMESPACE, "restricted"), trust])


def _namespace(name: str, level: str) -> dict[str, object]:
    labels = {"pod-security.kubernetes.io/enforce": level}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def _seldon(cluster: Cluster, state: pathlib.Path) -> None:
    if cluster.tier == "kind":  # there the real one is installed with the cluster
        return
    command = [sys.executable, "-m", "hack.seldon", "--kubeconfig", str(cluster.kubeconfig), "--install-crd"]
    sources = [*sorted((PROJECT / "hack" / "seldon").rglob("*")), cluster.kubeconfig]
    processes.ensure(state, SELDON, command, fingerprint(command, sources))
    crd = "crd/seldondeployments.machinelearning.seldon.io"
    kubectl.run(cluster, "wait", "--for=create", crd, "--timeout=60s")
    kubectl.run(cluster, "wait", "--for=condition=Established", crd, "--timeout=60s")
    processes.require(state, SELDON)


def forget(state: pathlib.Path) -> bool:
    """Remove what the demo wrote; False when there was nothing."""
    existed = state.exists()
    shutil.rmtree(state, ignore_errors=True)
    return existed


def fingerprint(command: list[str], sources: list[pathlib.Path]) -> str:
    """Say what a process is made of: its command line, its code, its credentials."""
    total = hashlib.sha256("\0".join(command).encode())
    for file in sources:
        if file.is_file() and "__pycache__" not in file.parts:
            total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def _until(state: pathlib.Path, name: str, answers: Callable[[], bool]) -> None:
    """Wait until a process answers, and no longer than it lives."""

    def answered() -> bool:
        processes.require(state, name)
        return answers()

    wait = tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda done: not done),
        wait=tenacity.wait_fixed(0.1),
        stop=tenacity.stop_after_delay(PATIENCE),
        retry_error_callback=lambda _: False,
    )
    if not wait(answered):
        raise faults.DemoError(f"the {name} does not answer after {PATIENCE:.0f} s; less {state}/logs/{name}.log")
