"""Names, addresses, refs and paths that are made to be read as something else, at the real API server and beyond.

What the API server takes goes on: into the pod, where it stands in one JSON document and nowhere else, and into the
words of git and crane, where it is never an option. No reference has a namespace, and no name of one is taken.
"""

from __future__ import annotations

import asyncio
import copy
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hack.cluster import cluster
from hack.seldon import wire
from modelpipeline import errors
from modelpipeline.api import fields
from modelpipeline.kinds import buildpod
from modelpipeline.schema import crd
from modelpipeline.step import git, order, reasons, registry, source
from tests.attacks import corpus
from tests.support import clusters, ground, manifests
from tests.support.kubectl import Kubectl

Path_ = tuple[str | int, ...]

WORD = "harmless"

ONE_OF_EACH = manifests.pipeline(
    "words",
    storage={"claimName": WORD},
    parameters={"x": WORD},
    train={
        "image": WORD,
        "env": [
            {"name": "A", "valueFrom": {"secretKeyRef": {"name": WORD, "key": WORD}}},
            {"name": "B", "valueFrom": {"configMapKeyRef": {"name": WORD, "key": WORD}}},
        ],
        "envFrom": [{"secretRef": {"name": WORD}}, {"configMapRef": {"name": WORD}}],
    },
    build=[
        {
            "name": "server",
            "source": {"git": {"url": "https://git.example/x.git", "ref": WORD, "secretName": WORD}, "path": WORD},
            "builderImage": WORD,
            "image": WORD,
            "pushSecretName": WORD,
            "caConfigMapName": WORD,
        },
        {"name": "other", "source": {"configMap": {"name": WORD}}, "builderImage": WORD, "image": WORD},
    ],
    deploy={"name": WORD, "imageFrom": "server", "envFrom": [{"secretRef": {"name": WORD}}]},
)
BUILD = ("spec", "build", 0)
REFERENCES: tuple[Path_, ...] = (
    ("spec", "storage", "claimName"),
    ("spec", "train", "env", 0, "valueFrom", "secretKeyRef", "name"),
    ("spec", "train", "env", 1, "valueFrom", "configMapKeyRef", "name"),
    ("spec", "train", "envFrom", 0, "secretRef", "name"),
    ("spec", "train", "envFrom", 1, "configMapRef", "name"),
    (*BUILD, "source", "git", "secretName"),
    ("spec", "build", 1, "source", "configMap", "name"),
    (*BUILD, "pushSecretName"),
    (*BUILD, "caConfigMapName"),
    ("spec", "deploy", "name"),
    ("spec", "deploy", "envFrom", 0, "secretRef", "name"),
)
WORDS: tuple[Path_, ...] = (
    (*BUILD, "source", "git", "url"),
    (*BUILD, "source", "git", "ref"),
    (*BUILD, "source", "path"),
    (*BUILD, "builderImage"),
    (*BUILD, "image"),
)


def with_(value: str, *paths: Path_) -> dict[str, Any]:
    """Return the pipeline with another value in some places."""
    body = copy.deepcopy(ONE_OF_EACH)
    for path in paths:
        target: Any = body
        for part in path[:-1]:
            target = target[part]
        target[path[-1]] = value
    return body


def named(path: Path_) -> str:
    """Return a place as the API server names it."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)[1:]


@pytest.fixture(scope="module")
def taken(api_cluster: cluster.Cluster, kubectl: Kubectl) -> dict[Path_, list[str]]:
    """Give what of the corpus the API server takes in each place: a value is put into all places at once.

    Rules across fields are asked only when every field is right, so more may seem to be taken here than is.
    """
    with clusters.fresh_namespace(kubectl) as namespace:
        answers = asyncio.run(answered(api_cluster, namespace))
    return {
        path: [value for value, refusal in answers.items() if f"{named(path)}:" not in refusal]
        for path in (*REFERENCES, *WORDS)
    }


async def answered(of: cluster.Cluster, namespace: str) -> dict[str, str]:
    """Return the API server's refusal of each value, "" when it takes it everywhere."""
    gate = asyncio.Semaphore(4)
    query = {"dryRun": "All", "fieldValidation": "Strict"}

    async with wire.Wire(of.kubeconfig) as api:

        async def ask(value: str) -> str:
            body = with_(value, *REFERENCES, *WORDS)
            async with gate:
                try:
                    await api.request("POST", ground.PIPELINES.path(namespace), body, query)
                except wire.Refused as refused:
                    return str(refused) if refused.status == 422 else f"not by validation: {refused}"
                return ""

        return dict(zip(corpus.ALL, await asyncio.gather(*map(ask, corpus.ALL)), strict=True))


@pytest.mark.parametrize("path", REFERENCES, ids=named)
def test_a_reference_is_a_plain_name_of_this_namespace(taken: dict[Path_, list[str]], path: Path_) -> None:
    assert 0 < len(taken[path]) < 20, "harmless names are taken, and hardly anything else"
    for name in taken[path]:
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", name), repr(name)
        assert len(name) <= 253
        assert ".." not in name


def test_no_field_of_the_spec_names_a_namespace() -> None:
    """And every reference has the pattern of a name: what the API server refuses above it refuses everywhere."""
    for path, node in leaves(crd.schema()["properties"]["spec"], ()):
        assert "namespace" not in path[-1].lower(), path
        if path[-1].endswith("Name") or (path[-1] == "name" and path[-2] in OBJECTS):
            assert node["pattern"] in {fields.DNS_SUBDOMAIN, fields.DNS_LABEL}, path


OBJECTS = {"secretRef", "configMapRef", "secretKeyRef", "configMapKeyRef", "configMap", "claim"}


def leaves(node: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Yield every field below a schema that has no fields of its own."""
    if "items" in node:
        yield from leaves(node["items"], path)
    elif "properties" in node:
        for name, inner in node["properties"].items():
            yield from leaves(inner, (*path, name))
    elif path:
        yield path, node


@pytest.mark.parametrize("path", WORDS, ids=named)
def test_what_is_taken_is_never_an_option_or_a_command(
    taken: dict[Path_, list[str]], path: Path_, recorder: Recorder
) -> None:
    """git and crane are called with real words, but their programs only write those down."""
    assert taken[path]
    for value in taken[path]:
        spec = with_(value, path)["spec"]["build"][0]
        in_one_place(spec, value)
        recorder.forget()
        outcome = the_steps(spec, recorder, path)
        for words in recorder.words():
            no_option(words, value)
        # Either the step refuses it and says which field to mend, or it is an argument.
        assert outcome in {"", reasons.SOURCE_INVALID, reasons.PATH_NOT_FOUND, reasons.BUILDER_NOT_FOUND}, value


def in_one_place(spec: dict[str, Any], value: str) -> None:
    """Insist that in the pod a value stands in the order's JSON, as an image, or as the name of a volume's object."""
    pod = buildpod.build(request(spec))
    assert value in strings(json.loads(handed_over(pod)))
    for container in (*pod["spec"]["initContainers"], *pod["spec"]["containers"]):
        assert [word for word in container["command"] if word not in PLAIN] == []
        assert "args" not in container
        assert {one["name"] for one in container.get("env", ())} <= {"MODELPIPELINE_BUILD", "TMPDIR"}


def handed_over(pod: dict[str, Any]) -> str:
    """Return the order as a container gets it: the kubelet expands $(NAME) in a variable, and $$ is a plain $."""
    written = str(pod["spec"]["containers"][0]["env"][0]["value"])
    assert "$" not in written.replace("$$", ""), "nothing is left to expand"
    return written.replace("$$", "$")


PLAIN = {"python3", "-m", "modelpipeline.step", "fetch", "push", "/bin/sh", "/modelpipeline/tools/assemble.sh"}


def request(spec: dict[str, Any]) -> buildpod.BuildRequest:
    return buildpod.BuildRequest(
        name="b",
        namespace="n",
        labels={},
        owner={},
        build_image="build:1",
        builder_image=spec["builderImage"],
        source=spec["source"],
        image=spec["image"],
        tags=("1-run",),
    )


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in strings(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in strings(inner)]
    return [value] if isinstance(value, str) else []


class Recorder:
    """Programs called git and crane that write down their words, and succeed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._log = folder / "words"
        said = {"git": "0" * 40, "crane": "sha256:" + "0" * 64}
        for name, answer in said.items():
            program = folder / "bin" / name
            program.parent.mkdir(exist_ok=True)
            text = f'#!/bin/sh\nprintf "%s\\\\0" "$@" >>{self._log}\nprintf "\\\\n\\\\0" >>{self._log}\necho {answer}\n'
            program.write_text(text)
            program.chmod(0o755)

    def forget(self) -> None:
        self._log.unlink(missing_ok=True)

    def words(self) -> list[list[str]]:
        if not self._log.exists():
            return []
        calls = self._log.read_bytes().decode().split("\0\n\0")
        return [call.split("\0") for call in calls if call]


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """Give the recording programs, first on PATH."""
    made = Recorder(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    return made


OUR_OPTIONS = re.compile(
    r"-c|-C|--|--(quiet|template=|depth=1|no-tags|no-recurse-submodules|verify|force|detach|end-of-options|full-tree)"
    r"|--(format=%\(objectsize\)|insecure|platform|repo|append|cmd|env|label)|-r|-z|-e"
)


def no_option(words: list[str], value: str) -> None:
    """Insist that every word that begins like an option is one of ours."""
    for word in words:
        if word.startswith("-"):
            assert OUR_OPTIONS.fullmatch(word), f"{value!r} became {word!r}"


def the_steps(spec: dict[str, Any], recorder: Recorder, path: Path_) -> str:
    """Give a build's words to git and crane as fetch and push do; return the reason of a refusal, "" for none."""
    try:
        _the_steps(spec, recorder, path[-1])
    except errors.OperatorError as error:
        return error.reason if error.message.isprintable() else f"{error.reason} in odd letters"
    return ""


def _the_steps(spec: dict[str, Any], recorder: Recorder, which: str | int) -> None:
    asked = order.load(handed_over(buildpod.build(request(spec))))
    client = registry.Client(docker_config=recorder.folder)
    assert asked.git
    source.check_path(asked.path)
    if which in ("url", "ref"):
        folder = recorder.folder / f"clone-{len(list(recorder.folder.iterdir()))}"
        git.clone(asked.git.url, asked.git.ref, folder, git.Access(private=recorder.folder))
    elif which in ("builderImage", "image"):
        client.digest(asked.builder)
        client.pushed(asked.image, "k-0")
        changes = registry.Changes(env={"A": "b"}, labels={"c": "d"}, cmd="/run")
        base = f"{registry.repository(asked.builder)}@sha256:{'0' * 64}"
        client.push(base, asked.image, recorder.folder / "layer", changes, recorder.folder)
        client.tag(asked.image, "sha256:" + "0" * 64, "1-run")
