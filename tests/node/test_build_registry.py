"""push against real registries, without pods: what is pushed in which order, and whose certificate is checked.

Needs the registry and crane that come with the node tier; one registry of these tests speaks TLS with its own CA.
"""

from __future__ import annotations

import datetime
import io
import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from hack.cluster import cluster, direct
from hack.demo import certificates
from modelpipeline import errors
from modelpipeline.step import contentkey, fetch, order, places, push, reasons, registry, verdict
from tests.node import place, shelf

KEY = "0" * 64


@dataclass(frozen=True)
class Registry:
    """A registry of these tests; its log has every request."""

    name: str
    log: Path
    ca: Path | None = None

    def puts(self) -> list[str]:
        """Return what was put, in order: tags and digests of manifests."""
        return re.findall(r'"PUT /v2/\S+/manifests/(\S+) HTTP[^"]*" 201', self.log.read_text())


def serve(folder: Path, address: str, files: certificates.Files | None) -> tuple[list[str], int]:
    folder.mkdir()
    port = place.free_port(address)
    http = {"addr": f"{address}:{port}"}
    document = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": http
        if files is None
        else {**http, "tls": {"certificate": str(files.certificate), "key": str(files.key)}},
    }
    (folder / "config.json").write_text(json.dumps(document))
    return ["docker-registry", "serve", str(folder / "config.json")], port


@pytest.fixture(scope="module")
def plain(node_cluster: cluster.Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Give a registry without TLS."""
    folder = tmp_path_factory.mktemp("plain")
    command, port = serve(folder / "registry", node_cluster.address, None)
    with place.running(command, folder / "log", node_cluster.address, port):
        yield Registry(f"{node_cluster.address}:{port}", folder / "log")


@pytest.fixture(scope="module")
def secure(node_cluster: cluster.Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Give a registry with TLS, by a CA that nobody knows."""
    folder = tmp_path_factory.mktemp("secure")
    files = certificates.ensure(folder / "certificates", node_cluster.address, datetime.datetime.now(datetime.UTC))
    command, port = serve(folder / "registry", node_cluster.address, files)
    with place.running(command, folder / "log", node_cluster.address, port):
        yield Registry(f"{node_cluster.address}:{port}", folder / "log", files.ca)


@pytest.fixture
def where(tmp_path: Path, node_cluster: cluster.Cluster, monkeypatch: pytest.MonkeyPatch) -> places.Places:
    """Give the folders of a build pod after an assemble that added one file and deleted another."""
    for name, value in direct.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", str(node_cluster.binary("crane").parent), prepend=":")
    found = places.Places(root=tmp_path / "pod", termination_log=tmp_path / "termination-log")
    for folder in (found.layer, found.work, found.verdict, found.private, found.ca):
        folder.mkdir(parents=True)
    with tarfile.open(found.layer / "layer.tar", "w") as archive:
        info = tarfile.TarInfo("./model.py")
        info.size = 5
        archive.addfile(info, io.BytesIO(b"hello"))
    (found.layer / "changed").write_bytes(b"./model.py\0")
    (found.layer / "links").touch()
    (found.layer / "deleted").write_bytes(b"etc/issue\0")
    (found.layer / "scripts").write_text("/s2i/bin\n")
    return found


def put_builder(of: Registry, where: places.Places, node_cluster: cluster.Cluster, name: str = "builder") -> str:
    """Put a small image into a registry and return its name: one layer, a user, an entrypoint."""
    folder = where.root / "image"
    folder.mkdir(exist_ok=True)
    with tarfile.open(folder / "base.tar", "w") as archive:
        info = tarfile.TarInfo("etc/issue")
        info.size = len(name)
        archive.addfile(info, io.BytesIO(name.encode()))
    image = f"{of.name}/{name}:1"
    client = client_for(where, of)
    for words in (
        ["append", "--oci-empty-base", "-f", str(folder / "base.tar"), "-t", image],
        ["mutate", image, "--user", "1001", "--env", "PATH=/bin", "--entrypoint", "/bin/entry", "-t", image],
    ):
        done = client._crane(words, insecure=of.ca is None)
        assert done.code == 0, done.stderr
    return image


def client_for(where: places.Places, *registries: Registry) -> registry.Client:
    ca = next((one.ca for one in registries if one.ca), None)
    insecure = tuple(order.Registry(one.name, insecure=True) for one in registries if one.ca is None)
    return registry.Client(docker_config=where.private, registries=insecure, ca=ca)


def asked(image: str, builder: str, *registries: Registry) -> order.Order:
    insecure = tuple(order.Registry(one.name, insecure=True) for one in registries if one.ca is None)
    return order.Order("build", image, ("7-run",), builder, registries=insecure, limit=1 << 20)


def judge(where: places.Places, builder: str, *registries: Registry) -> verdict.Verdict:
    digest = client_for(where, *registries).digest(builder)
    env = {"MODEL_NAME": "a,b \"c\" 'd' $e\nf", "EMPTY": "", "PATH": "/opt/bin:/bin"}
    labels = {"source": 'https://git.example/a,"b".git', "path": 'a,"b"=c'}
    found = verdict.Verdict(KEY, digest, digest, ("/usr/libexec/s2i", "/s2i/bin"), "", env, labels, "c0ffee")
    verdict.write(where.verdict, found)
    return found


def test_one_manifest_by_digest_then_the_run_then_the_content_key(
    plain: Registry, where: places.Places, node_cluster: cluster.Cluster
) -> None:
    builder = put_builder(plain, where, node_cluster)
    found = judge(where, builder, plain)
    before = len(plain.puts())
    result = push.run(asked(f"{plain.name}/out/ordered", builder, plain), where)
    digest = result["digest"]
    assert plain.puts()[before:] == [digest, "7-run", f"k-{KEY}"]
    assert result == {
        "digest": digest,
        "image": f"{plain.name}/out/ordered@{digest}",
        "commit": "c0ffee",
        "builderDigest": found.builder_digest,
        "builderImageDigest": found.builder_image_digest,
        "contentKey": KEY,
        "cached": False,
    }
    there = shelf.Shelf(node_cluster.binary("crane"), plain.name)
    config = there.config(result["image"])["config"]
    assert config["Cmd"] == ["/s2i/bin/run"]
    assert (config["User"], config["Entrypoint"]) == ("1001", ["/bin/entry"])
    assert config["Env"] == ["PATH=/opt/bin:/bin", "EMPTY=", "MODEL_NAME=a,b \"c\" 'd' $e\nf"]
    assert config["Labels"] == {"source": 'https://git.example/a,"b".git', "path": 'a,"b"=c'}
    *below, top = there.layers(result["image"])
    assert below == there.layers(builder)
    assert there.layer(result["image"], top) == {"model.py": b"hello", "etc/.wh.issue": b""}


def test_a_cached_image_gets_the_runs_tag_and_nothing_else(
    plain: Registry, where: places.Places, node_cluster: cluster.Cluster
) -> None:
    builder = put_builder(plain, where, node_cluster)
    judge(where, builder, plain)
    wanted = asked(f"{plain.name}/out/cached", builder, plain)
    first = push.run(wanted, where)
    client = client_for(where, plain)
    assert client.pushed(wanted.image, contentkey.tag(KEY)) == first["digest"]
    assert client.pushed(wanted.image, contentkey.tag("1" * 64)) == ""
    assert client.pushed(f"{plain.name}/never/pushed", contentkey.tag(KEY)) == ""
    verdict.write(where.verdict, replace(verdict.read(where.verdict), cached=first["digest"]))
    before = len(plain.puts())
    again = push.run(replace(wanted, tags=("8-run",)), where)
    assert plain.puts()[before:] == ["8-run"]
    assert (again["digest"], again["cached"]) == (first["digest"], True)


def test_a_builder_whose_tag_moved_pushes_nothing(
    plain: Registry, where: places.Places, node_cluster: cluster.Cluster
) -> None:
    builder = put_builder(plain, where, node_cluster, "moving")
    judge(where, builder, plain)
    other = put_builder(plain, where, node_cluster, "other")
    done = client_for(where, plain)._crane(["copy", other, builder], insecure=True)
    assert done.code == 0, done.stderr
    before = len(plain.puts())
    with pytest.raises(errors.Retryable) as caught:
        push.run(asked(f"{plain.name}/out/moved", builder, plain), where)
    assert caught.value.reason == reasons.BUILDER_MOVED
    assert plain.puts()[before:] == []


def test_a_builder_behind_tls_is_read_with_its_certificate_checked(
    plain: Registry, secure: Registry, where: places.Places, node_cluster: cluster.Cluster
) -> None:
    """Also when the image goes to a registry without TLS, for which crane would check no certificate at all."""
    builder = put_builder(secure, where, node_cluster)
    judge(where, builder, plain, secure)
    wanted = asked(f"{plain.name}/out/mixed", builder, plain, secure)
    with pytest.raises(errors.Retryable, match="not trusted") as caught:
        push.run(wanted, where)
    assert caught.value.reason == reasons.REGISTRY_UNREACHABLE
    assert secure.ca
    (where.ca / "ca.crt").write_bytes(secure.ca.read_bytes())
    result = push.run(replace(wanted, ca_config_map="ca"), where)
    there = shelf.Shelf(node_cluster.binary("crane"), plain.name)
    assert len(there.layers(result["image"])) == 2
    assert set(there.tags("out/mixed")) == {"7-run", f"k-{KEY}"}, "the copied builder has no tag"


def test_a_mirror_stands_for_the_registry_that_it_mirrors(
    plain: Registry, where: places.Places, node_cluster: cluster.Cluster
) -> None:
    put_builder(plain, where, node_cluster)
    client = registry.Client(
        docker_config=where.private,
        registries=(order.Registry("docker.io/team", insecure=True, mirror=plain.name),),
    )
    assert client.digest("team/builder:1").startswith("sha256:")
    assert client.located("docker.io/team/builder:1") == (f"{plain.name}/builder:1", True)
    assert client.located("teams/builder:1") == ("docker.io/teams/builder:1", False)
    assert client.located_for_push("team/out") == ("docker.io/team/out", True)


def test_what_is_not_there_is_told_from_what_does_not_answer(
    plain: Registry, where: places.Places, node_cluster: cluster.Cluster
) -> None:
    client = client_for(where, plain)
    assert client.digest(f"{plain.name}/no-such:1") == ""
    nobody = f"{node_cluster.address}:{place.free_port(node_cluster.address)}"
    with pytest.raises(errors.Retryable) as caught:
        client.digest(f"{nobody}/builder:1")
    assert caught.value.reason == reasons.REGISTRY_UNREACHABLE
    assert nobody in caught.value.message


def test_a_builder_for_another_platform_is_told(
    plain: Registry, where: places.Places, node_cluster: cluster.Cluster
) -> None:
    builder = put_builder(plain, where, node_cluster)
    index = f"{plain.name}/index:1"
    client = client_for(where, plain)
    done = client._crane(["index", "append", "-m", builder, "-t", index, "--docker-empty-base"], insecure=True)
    assert done.code == 0, done.stderr
    digest = client.digest(index)
    ours = {"x86_64": "amd64", "aarch64": "arm64"}
    assert fetch._ARCHITECTURES == ours
    with pytest.raises(errors.Stalled, match="linux/s390x") as caught:
        replace(client, platform="linux/s390x").read(index, digest)
    assert caught.value.reason == reasons.BUILDER_NOT_FOUND


@pytest.mark.parametrize(
    ("image", "host", "repository"),
    [
        ("python", "docker.io", "python"),
        ("seldonio/builder:1.17.1", "docker.io", "seldonio/builder"),
        ("localhost/x:1", "localhost", "localhost/x"),
        ("registry.example:5000/a/b:1@sha256:abc", "registry.example:5000", "registry.example:5000/a/b"),
        ("registry.example:5000/a", "registry.example:5000", "registry.example:5000/a"),
    ],
)
def test_names_of_images_are_read_as_docker_reads_them(image: str, host: str, repository: str) -> None:
    assert registry.host(image) == host
    assert registry.repository(image) == repository
