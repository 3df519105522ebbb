"""Images made on this machine: once built, kept; and nothing of the machine's own settings in them."""

from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from hack.cluster import cluster, places
from hack.images import images
from tests.support.kubectl import Kubectl

pytestmark = pytest.mark.node

WHEELS = "wheels-of-this-machine"

DOCKERFILE = """\
ARG BASE
FROM $BASE
ARG WORD
COPY said /said
RUN pip config list >/pip-saw && pip --version && echo "$WORD" >>/said
USER 1000
CMD ["cat", "/said"]
"""


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a context to build from, on a machine with a pip setting that names a folder of its own."""
    wheels = tmp_path / WHEELS
    wheels.mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "said").write_text("hello\n")
    return folder


def build(node_cluster: cluster.Cluster, context: Path, word: str = "world") -> str:
    """Build the context's image."""
    return images.build(node_cluster, name="test-image", tag="1", context=context, build_args={"WORD": word})


def test_a_built_image_runs_in_a_pod(
    node_cluster: cluster.Cluster, node_kubectl: Kubectl, node_namespace: str, context: Path
) -> None:
    reference = build(node_cluster, context)
    node_kubectl("run", "says", "-n", node_namespace, f"--image={reference}", "--restart=Never")
    node_kubectl("wait", "-n", node_namespace, "pod/says", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=90s")
    assert node_kubectl("logs", "says", "-n", node_namespace) == "hello\nworld\n"


def test_the_same_source_is_built_once_and_another_anew(node_cluster: cluster.Cluster, context: Path) -> None:
    def kept() -> set[str]:
        return {path.name for path in (places.cache() / "images").iterdir() if not path.suffix}

    build(node_cluster, context)
    before = kept()
    crane(node_cluster, "delete", f"{node_cluster.registry}/test-image@{digest(node_cluster)}")
    build(node_cluster, context)
    assert kept() == before, "the registry was filled from the cache"
    first = digest(node_cluster)
    (context / "said").write_text("good evening\n")
    build(node_cluster, context)
    assert len(kept() - before) <= 1
    assert digest(node_cluster) != first


def test_an_image_holds_nothing_of_the_machine_that_made_it(
    node_cluster: cluster.Cluster, context: Path, tmp_path: Path
) -> None:
    reference = build(node_cluster, context, word=tmp_path.name)
    archive = tmp_path / "image.tar"
    crane(node_cluster, "export", reference, str(archive))
    with tarfile.open(archive) as packed:
        names = set(packed.getnames())

        def text(name: str) -> str:
            file = packed.extractfile(name)
            return file.read().decode() if file else ""

        assert "find-links" in text("pip-saw"), "the build itself had the machine's settings"
        assert [name for name in names if WHEELS in name or name.startswith("mnt/")] == []
        for file in ("etc/pip.conf", "etc/hostname", "etc/resolv.conf", "etc/machine-id"):
            assert text(file) == "", file
        assert text("etc/apt/sources.list") == "deb http://deb.debian.org/debian bookworm main\n"
    config = json.loads(crane(node_cluster, "config", reference))
    assert not [value for value in config["config"]["Env"] if value.startswith("PIP_")]
    assert WHEELS not in json.dumps(config)


def digest(of: cluster.Cluster) -> str:
    """Return the digest of the image in the registry."""
    return crane(of, "digest", f"{of.registry}/test-image:1").strip()


def crane(of: cluster.Cluster, *arguments: str) -> str:
    """Run crane against the cluster's registry."""
    command = [str(of.binary("crane")), *arguments, "--insecure"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
