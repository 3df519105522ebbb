"""What goes wrong on a real node: each fault ends in a condition with its reason and the next command, and stays there.

Nothing is half done afterwards: no server, no tag, no second try that nobody asked for. And whatever secrets were
used, their values are nowhere. Faults of one kind run side by side, each in a pipeline of its own.
"""

from __future__ import annotations

import base64
import datetime
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from hack.cluster import cluster, node
from hack.seldon import wire
from tests.node import place, shelf, specs, works
from tests.node.works import Works
from tests.support import ground

PASSWORD = "hunter2-of-the-registry"
# htpasswd -bnB pusher hunter2-of-the-registry
HTPASSWD = "pusher:$2b$04$drjFGa1k64PwItYZw2gkf.1EDp.sKvFT.oTjRRlagFKTS2JpEz8uW\n"
FORMS = ("dockerconfigjson", "username-password", "config-json")
EMPTY: dict[str, str] = {}

# What a program does, and the reason and words that a user then reads.
TRAINERS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "says-why": ("raise SystemExit('no digits at /data')", "TrainingFailed", ("exit code 1: no digits at /data",)),
    "says-nothing": ("raise SystemExit(1)", "TrainingFailed", ("exit code 1 and no output",)),
    "says-5-kb": ("raise SystemExit('x ' * 2500 + 'the end')", "TrainingFailed", ("exit code 1: ...", "the end")),
    "reports-5-kb": (
        "open('/dev/termination-log', 'w').write('{\"outputs\": {\"model\": \"' + 'x' * 5000 + '\"}}')",
        "ResultTooLarge",
        ("4096 bytes", "save it to MODEL_DIR"),
    ),
}


async def test_a_trainer_that_fails_is_quoted_and_not_deployed(going: Works) -> None:
    for name, (program, _, _) in TRAINERS.items():
        trainer = specs.script(going.place, program, outputs=[{"name": "model"}])
        await going.apply(specs.pipeline(name, train=trainer, deploy={"image": going.place.images["plain"]}))
    for name, (_, reason, words) in TRAINERS.items():
        failed = await going.stalled(name)
        said = told(failed, "Trained", reason, *words)
        job = await going.one(works.JOBS, name=name)
        if reason == "TrainingFailed":
            assert f"kubectl logs job/{job['metadata']['name']} -n {going.namespace}" in said
        await nothing_half_done(going, name, reason)


async def test_an_image_that_cannot_be_pulled_is_named(going: Works) -> None:
    missing = f"{going.place.cluster.registry}/no-such-trainer:1"
    await going.apply(specs.pipeline("pulls", train={"image": missing}, deploy={"image": missing}))
    waits = await going.until("pulls", lambda p: ground.condition(p, "Trained")["reason"] == "PodPending")
    said = told(waits, "Trained", "PodPending", "image cannot be pulled", missing)
    (pod,) = await going.children(wire.PODS)
    assert f"kubectl describe pod {pod['metadata']['name']} -n {going.namespace}" in said
    assert ground.says(waits, "Reconciling")[0] == "True", "it may yet be pushed"
    await nothing_half_done(going, "pulls", "PodPending")


def sources(at: place.Place) -> dict[str, tuple[dict[str, Any], str, tuple[str, ...]]]:
    """Return changes of a build whose source cannot be had, and what a user then reads."""
    closed = f"https://{at.cluster.address}:{place.free_port(at.cluster.address)}/sources.git"
    nowhere = at.git.replace("sources.git", "sauces.git")
    return {
        "unreachable": ({"git": {"url": closed}}, "GitUnreachable", (closed, "does not answer")),
        "wrong-ref": ({"git": {"url": at.git, "ref": "no-such-branch"}}, "RefNotFound", (f"git ls-remote {at.git}",)),
        "wrong-path": ({"git": {"url": at.git}, "path": "srv"}, "PathNotFound", ("'srv'", "there is: ")),
        "no-repository": ({"git": {"url": nowhere}}, "GitAuthFailed", (nowhere, "source.git.secretName")),
        "unknown-authority": ({"git": {"url": at.git}}, "GitUnreachable", ("caConfigMapName",)),
    }


async def test_a_source_that_cannot_be_had_stops_the_build(going: Works) -> None:
    cases = sources(going.place)
    for name, (source, _, _) in cases.items():
        build = {**specs.build(going.place, going.repository(name)), "source": source}
        if name == "unknown-authority":
            del build["caConfigMapName"]
        await going.apply(specs.pipeline(name, build=[build], deploy=specs.deploy()))
    for name, (_, reason, words) in cases.items():
        told(await going.stalled(name), "ImageBuilt", reason, *words)
        await nothing_half_done(going, name, reason)


async def test_a_git_server_that_comes_back_is_asked_again(going: Works, tmp_path: Path) -> None:
    address, port = going.place.cluster.address, place.free_port(going.place.cluster.address)
    build = specs.build(going.place, going.repository(), backoffLimit=5)
    build["source"]["git"]["url"] = f"https://{address}:{port}/sources.git"
    await going.apply(specs.pipeline("patient", build=[build]))
    waits = await going.until("patient", lambda p: ground.condition(p, "ImageBuilt")["reason"] == "GitUnreachable")
    assert ground.says(waits, "Stalled") == ("", ""), "it passes by itself"
    assert "attempt 2 follows" in ground.condition(waits, "ImageBuilt")["message"]
    with place.git_server(going.place.cluster, tmp_path, port=port) as (_, authority):
        await going.api.patch(works.CONFIG_MAPS, going.namespace, "git-ca", {"data": {"ca.crt": authority}})
        done = await going.ready("patient")
    assert ground.step(done, "build-server")["attempt"] >= 1
    first, second = (await going.children(wire.PODS, "build-server"))[:2]
    ended = first["status"]["initContainerStatuses"][0]["state"]["terminated"]["finishedAt"]
    apart = moment(second["metadata"]["creationTimestamp"]) - moment(ended)
    assert apart >= datetime.timedelta(seconds=10), "what passes by itself does not pass at once"
    assert len(set(going.tags().values())) == 1


def moment(text: str) -> datetime.datetime:
    """Read a time as the API server writes it."""
    return datetime.datetime.fromisoformat(text)


async def test_a_builder_that_does_not_exist_is_named(going: Works) -> None:
    build = specs.build(going.place, going.repository("none"))
    build["builderImage"] = f"{going.place.cluster.registry}/no-such-builder:1"
    await going.apply(specs.pipeline("none", build=[build], deploy=specs.deploy()))
    told(await going.stalled("none"), "ImageBuilt", "BuilderNotFound", build["builderImage"], "check builderImage")
    await nothing_half_done(going, "none", "BuilderNotFound")


@pytest.fixture(scope="module")
def locked(node_cluster: cluster.Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the name of a second registry, which asks for a password; the kubelet reaches it without TLS, too."""
    folder = tmp_path_factory.mktemp("locked")
    address = node_cluster.address
    port = place.free_port(address)
    name = f"{address}:{port}"
    hosts = node_cluster.state / "config" / "registries" / name
    hosts.mkdir()
    (hosts / "hosts.toml").write_text(node.registry_hosts(name))
    command = shelf.locked(folder / "registry", address, port, HTPASSWD)
    with place.running(command, folder / "registry.log", address, port):
        yield name
    shutil.rmtree(hosts)


@pytest.fixture
def insecure(here: place.Place, locked: str) -> list[str]:
    """Let the operator reach the second registry without TLS, too."""
    return [here.cluster.registry, locked]


REFUSED: Mapping[str, tuple[dict[str, str] | None, str]] = {
    "no-secret": (None, "RegistryDenied"),
    "wrong-password": ({"username": "pusher", "password": "hunter2-but-wrong"}, "RegistryDenied"),
    "missing": (None, "SecretInvalid"),
    "wrong-keys": ({"user": "pusher", "pass": PASSWORD}, "SecretInvalid"),
    "no-document": ({"config.json": f"not json {PASSWORD}"}, "SecretInvalid"),
}


async def test_a_registry_that_refuses_gets_nothing(going: Works, locked: str, tmp_path: Path) -> None:
    for name, (data, _) in REFUSED.items():
        build = specs.build(going.place, f"{locked}/{going.namespace}/{name}")
        if name != "no-secret":
            build["pushSecretName"] = f"secret-{name}"
        if data:
            await going.secret(f"secret-{name}", data)
        await going.apply(specs.pipeline(name, build=[build], deploy=specs.deploy()))
    for name, (_, reason) in REFUSED.items():
        said = told(await going.stalled(name), "ImageBuilt", reason, "pushSecretName")
        assert reason == "RegistryDenied" or "kubectl create secret" in said
        await nothing_half_done(going, name, reason)
    assert "hunter2" not in await going.everything_said()
    theirs = opened(going, locked, tmp_path)
    assert [theirs.tags(f"{going.namespace}/{name}") for name in REFUSED] == [EMPTY] * len(REFUSED)
    # What the message asks for is all that is missing.
    await going.secret("regcred", {"username": "pusher", "password": PASSWORD})
    build = specs.build(going.place, f"{locked}/{going.namespace}/no-secret", pushSecretName="regcred")
    await going.apply(specs.pipeline("no-secret", build=[build]))
    assert ground.says(await going.ready("no-secret"), "ImageBuilt") == ("True", "ImageBuilt")
    assert len(theirs.tags(f"{going.namespace}/no-secret")) == 2


async def test_case_51_the_right_secret_in_any_form_pushes(going: Works, locked: str, tmp_path: Path) -> None:
    await going.secret("dockerconfigjson", {".dockerconfigjson": auths(locked, encoded=True)}, specs.DOCKER_SECRET)
    await going.secret("username-password", {"username": "pusher", "password": PASSWORD})
    await going.secret("config-json", {"config.json": auths(locked, encoded=False)})
    for form in FORMS:
        build = specs.build(going.place, f"{locked}/{going.namespace}/{form}", pushSecretName=form)
        # Only this form is one that a kubelet can pull with.
        server = specs.deploy() if form == "dockerconfigjson" else None
        await going.apply(specs.pipeline(form, build=[build], deploy=server))
    theirs = opened(going, locked, tmp_path)
    for form in FORMS:
        image = (await going.ready(form))["status"]["images"]["server"]
        assert set(theirs.tags(f"{going.namespace}/{form}").values()) == {image.partition("@")[2]}
        holds_no_secret(theirs, image)
    said = await going.everything_said()
    assert [secret for secret in spelled() if secret in said] == []


def holds_no_secret(on: shelf.Shelf, image: str) -> None:
    """Look for the password in the image's configuration and in every file of its own layer."""
    everything = [on.config(image), *on.layer(image, on.layers(image)[-1]).values()]
    for content in everything:
        text = content if isinstance(content, bytes) else json.dumps(content).encode()
        assert not [secret for secret in spelled() if secret.encode() in text]


def spelled() -> tuple[str, str]:
    """Return the password as it is and as it goes into a docker config."""
    return PASSWORD, base64.b64encode(f"pusher:{PASSWORD}".encode()).decode()


def auths(registry: str, *, encoded: bool) -> str:
    """Return a docker config, in one of the two ways in which tools write it."""
    login = {"auth": spelled()[1]} if encoded else {"username": "pusher", "password": PASSWORD}
    return json.dumps({"auths": {registry: login}})


def opened(on: Works, locked: str, folder: Path) -> shelf.Shelf:
    """Return the second registry as one sees it who has the password."""
    (folder / "config.json").write_text(auths(locked, encoded=True))
    return shelf.Shelf(on.place.cluster.binary("crane"), locked, folder)


def told(pipeline: dict[str, Any], type_: str, reason: str, *words: str) -> str:
    """Insist on a condition that is False for this reason, and on what it says; return its message."""
    found = ground.condition(pipeline, type_)
    assert (found["status"], found["reason"]) == ("False", reason), found
    assert ground.says(pipeline, "Ready") == ("False", reason)
    said = str(found["message"])
    assert [word for word in words if word not in said] == [], said
    assert len(said) <= 512
    assert "\n" not in said
    return said


async def nothing_half_done(on: Works, name: str, reason: str) -> None:
    """Insist that there is no server and no image, that nothing was started twice, and that one Event warns."""
    await on.warned(name, reason)
    assert not await on.children(wire.SELDON_DEPLOYMENTS, name=name)
    assert on.tags(name) == EMPTY
    assert len(await on.children(works.JOBS, name=name)) <= 1
    assert len(await on.children(wire.PODS, "build-server", name=name)) <= 1
    warnings = [event for event in await on.events(name) if event["type"] == "Warning"]
    assert [event["reason"] for event in warnings] == [reason]
