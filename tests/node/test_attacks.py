"""Attacks over the whole way on a real node: each ends in a condition that names its cause, and no secret is anywhere.

The operator is the chart's, the pods are real, the servers that mean harm stand on the cluster's own bridge. All run
side by side in one namespace, beside a pipeline that means no harm. What single parts do is in tests/attacks.
"""

from __future__ import annotations

import base64
import datetime
import json
import re
from pathlib import Path
from typing import Any

from hack.demo import certificates
from hack.images import images
from modelpipeline.kinds import kind as kinds
from tests.attacks import servers
from tests.node import specs, works
from tests.node.works import Works
from tests.support import audit, clusters, ground

CANARIES = {
    "push": "c4n4ry-of-the-push-secret",
    "git": "c4n4ry-of-the-git-secret",
    "train": "c4n4ry-of-the-training",
    "other": "c4n4ry-that-nobody-named",
}
Object = dict[str, Any]
BREAKING = r"""
import os, sys
said = b"\x1b[31mred\x1b]0;title\x07 \x00 half \xff\xfe \xe2\x80\xae turned\r\nline two " + b"x" * 3000 + b" the end"
open("/dev/termination-log", "wb").write(said)
sys.stdout.buffer.write(said)
sys.exit(1)
"""


async def test_every_attack_ends_in_a_condition_and_no_secret_is_anywhere(going: Works, tmp_path: Path) -> None:
    at = going.place.cluster
    log = audit.Lines(at.audit_log)
    await secrets(going)
    files = certificates.ensure(tmp_path / "certificates", at.address, datetime.datetime.now(datetime.UTC))
    await trust(going, files)
    routes = {
        "/hangs/": servers.hang,
        "/endless/": servers.endless_refs,
        "/repeats/": servers.demanding("Basic", servers.repeating),
        "/moved/": servers.demanding("Basic", servers.elsewhere(lambda: "https://elsewhere.invalid")),
    }
    registries = {"/v2/": servers.hang, "/v2/endless/": servers.endless_manifest}
    with servers.serving(at.address, routes, files) as git, servers.serving(at.address, registries) as registry:
        expected = attacks(going, git, registry)
        for name, (pipeline, _, _) in expected.items():
            await going.apply(specs.pipeline(name, **pipeline))
        await going.apply(harmless(going))
        ended = {name: await going.stalled(name) for name in expected}
    for name, (_, reasons, word) in expected.items():
        told = ground.condition(ended[name], "Trained" if name == "breaks" else "ImageBuilt")
        assert (told["status"], told["reason"] in reasons) == ("False", True), f"{name}: {told}"
        assert word in told["message"], f"{name}: {told}"
        assert all(c["message"].isprintable() and len(c["message"]) <= 512 for c in ended[name]["status"]["conditions"])
        assert going.tags(name) == {}, "nothing is pushed"
    done = await going.ready("harmless")
    assert ground.says(done, "Ready") == ("True", "Serving"), "beside all this, who means no harm is served"
    assert leaks(await everything(going, log, done)) == []
    assert going.operator.running, "and the operator is not impressed"


def attacks(on: Works, git: servers.Server, registry: servers.Server) -> dict[str, tuple[Object, tuple[str, ...], str]]:
    """Return pipelines that mean harm, in which reasons each may end, and a word that its message must have.

    What never ends is ended by whichever of memory and time is over first.
    """

    def built(name: str, **more: Any) -> Object:
        # A server's silence is told after a sixth of it.
        seconds = 120 if name in {"hangs", "silent"} else 600
        build = specs.build(on.place, on.repository(name), pushSecretName="regcred", timeoutSeconds=seconds, **more)
        return {"build": [build]}

    def cloned(name: str) -> Object:
        url = git.url(f"/{name}/x.git")
        return built(name, source={"git": {"url": url, "secretName": "git-login"}}, caConfigMapName="evil-ca")

    def made_of(name: str) -> Object:
        return built(name, builderImage=f"{registry.host}/{name}/builder:1")

    hostile = images.build(
        on.place.cluster,
        name="builder-hostile",
        tag="1",
        context=clusters.ROOT / "tests" / "builders" / "hostile",
        base="modelpipeline/build:dev",
    )
    link = built("link", builderImage=hostile, source={"configMap": {"name": "link"}})
    return {
        "hangs": (cloned("hangs"), ("GitUnreachable",), git.host),
        "endless": (cloned("endless"), ("SourceTooLarge", "GitUnreachable"), git.host),
        "repeats": (cloned("repeats"), ("GitUnreachable",), "***"),
        "moved": (cloned("moved"), ("GitUnreachable",), "redirects"),
        "silent": (made_of("silent"), ("RegistryUnreachable",), registry.host),
        "endless-image": (made_of("endless"), ("RegistryDenied", "RegistryUnreachable"), registry.host),
        "link": (link, ("LayerRefused",), "layer.tar"),
        "breaks": ({"train": specs.script(on.place, BREAKING)}, ("TrainingFailed",), "the end"),
    }


async def secrets(on: Works) -> None:
    """Make secrets, each with a word that is nowhere else."""
    auth = base64.b64encode(f"pusher:{CANARIES['push']}".encode()).decode()
    config = json.dumps({"auths": {on.place.cluster.registry: {"auth": auth}}})
    await on.secret("regcred", {".dockerconfigjson": config}, "kubernetes.io/dockerconfigjson")
    await on.secret("git-login", {"username": "reader", "password": CANARIES["git"]}, "kubernetes.io/basic-auth")
    await on.secret("training", {"token": CANARIES["train"]})
    await on.secret("other", {"token": CANARIES["other"]})
    data = {"metadata": {"name": "link"}, "data": {"attack": "link"}}
    await on.api.create(works.CONFIG_MAPS, on.namespace, {"apiVersion": "v1", "kind": "ConfigMap", **data})


async def trust(on: Works, files: certificates.Files) -> None:
    """Trust the authority of the servers that mean harm: a certificate says who somebody is, not what they want."""
    data = {"metadata": {"name": "evil-ca"}, "data": {"ca.crt": files.ca.read_text()}}
    await on.api.create(works.CONFIG_MAPS, on.namespace, {"apiVersion": "v1", "kind": "ConfigMap", **data})


def harmless(on: Works) -> Object:
    """Return a pipeline that uses its secrets as they are meant."""
    token = [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "training", "key": "token"}}}]
    build = specs.build(on.place, on.repository("harmless"), pushSecretName="regcred")
    build["source"]["git"]["secretName"] = "git-login"
    train = specs.script(on.place, "print('trained')", env=token)
    return specs.pipeline("harmless", train=train, build=[build], deploy=specs.deploy(env=token))


async def everything(on: Works, log: audit.Lines, done: Object) -> str:
    """Return all that could be read without a right to read Secrets: objects, logs, the audit log, the image."""
    image = done["status"]["images"]["server"]
    shelf = on.place.shelf
    layers = [str(shelf.layer(image, digest)) for digest in shelf.layers(image)[-1:]]
    audited = [json.dumps(entry) for entry in log.read(on.namespace)]
    assert any(kinds.PIPELINE.plural in entry for entry in audited)
    counted = str(on.operator.counted("passes_total"))
    return "\n".join([await on.everything_said(), *audited, counted, json.dumps(shelf.config(image)), *layers])


def leaks(text: str) -> list[str]:
    """Return which canaries are in a text, plain or in base64, wherever in it they begin."""
    forms = {}
    for name, word in CANARIES.items():
        forms[word] = name
        for shift in range(3):
            # Of each of the three ways to begin, what does not depend on the neighbours.
            encoded = base64.b64encode(b"\0" * shift + word.encode()).decode()
            forms[re.sub(r"[^A-Za-z0-9+/].*", "", encoded)[4 if shift else 0 : -4]] = name
    return sorted({name for form, name in forms.items() if form in text})


def test_the_search_for_canaries_finds_them() -> None:
    for name, word in CANARIES.items():
        for before in ("", "a", "ab", "abc"):
            assert leaks(base64.b64encode(f"{before}{word}:tail".encode()).decode()) == [name]
        assert leaks(f"x{word}y") == [name]
