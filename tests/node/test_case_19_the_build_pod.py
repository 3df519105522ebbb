"""Acceptance case 19: the whole way on a real node, with a build that nobody has to trust.

A real trainer on real data, a real s2i build from git over https with a private CA, a real registry, a namespace at
Pod Security baseline, and at the end the real model server's answer.
"""

from __future__ import annotations

import json
from typing import Any

from hack.demo import ask, digits
from hack.seldon import wire
from tests.node import specs
from tests.node.works import Works
from tests.support import clusters

HELD_OUT = clusters.ROOT / "examples" / "digits" / "held-out.json"
REGISTRY_PASSWORD = "hunter2-of-the-registry"
GIT_PASSWORD = "hunter2-of-git"


async def test_case_19_the_whole_way_under_baseline(going: Works) -> None:
    await secrets(going)
    repository = going.repository()
    build = specs.build(
        going.place,
        repository,
        path="curious",
        builder="leftover",
        pushSecretName="regcred",
        # MODEL_NAME wins over the file's; SERVICE_TYPE and PERSISTENCE come from the file.
        env=[{"name": "MODEL_NAME", "value": "Digits"}, {"name": "EXTRA", "value": "a 'quoted' $value"}],
    )
    build["source"]["git"]["secretName"] = "git-login"
    await going.apply(
        specs.pipeline(
            "digits",
            storage=specs.storage(),
            train=specs.train(going.place, epochs=30),
            gate=[{"metric": "accuracy", "min": "0.95"}],
            build=[build],
            deploy=specs.deploy(env=[{"name": "MODEL_DIR", "value": "$(model.dir)"}]),
        )
    )
    done = await going.ready("digits")
    image = done["status"]["images"]["server"]
    await the_server_knows_a_digit(going, done)
    containers_see_only_what_they_should(await going.one(wire.PODS, "build-server"))
    the_image_is_the_builder_and_one_layer(going, image)
    assert going.tags() == {
        tag: image.partition("@")[2] for tag in (done["status"]["run"]["id"], content_tag(going))
    }, "the run's tag and the content key's, both for what is deployed"
    server = await going.one(wire.SELDON_DEPLOYMENTS)
    (container,) = server["spec"]["predictors"][0]["componentSpecs"][0]["spec"]["containers"]
    assert container["image"] == image, "what is deployed is what was pushed, by digest"
    assert len(going.audit.changes()) <= 8
    assert [str(entry) for entry in going.audit.entries() if entry.code == 409] == []
    kubectl_tells_the_story(going)
    said = await going.everything_said()
    assert REGISTRY_PASSWORD not in said
    assert GIT_PASSWORD not in said


async def secrets(on: Works) -> None:
    """Make secrets that nobody asks for: they must not show up anywhere either."""
    auths = {on.place.cluster.registry: {"username": "pusher", "password": REGISTRY_PASSWORD}}
    config = json.dumps({"auths": auths})
    await on.secret("regcred", {".dockerconfigjson": config}, "kubernetes.io/dockerconfigjson")
    await on.secret("git-login", {"username": "reader", "password": GIT_PASSWORD}, "kubernetes.io/basic-auth")


async def the_server_knows_a_digit(on: Works, pipeline: dict[str, Any]) -> None:
    digit = digits.load(HELD_OUT).pick(0)
    answer = await on.ask(pipeline, ask.payload([digit]))
    assert max(answer, key=lambda name: float(answer[name])) == str(digit.label)
    assert float(pipeline["status"]["run"]["metrics"]["accuracy"]) >= 0.95


def containers_see_only_what_they_should(pod: dict[str, Any]) -> None:
    spec = pod["spec"]
    fetch, assemble = spec["initContainers"]
    (push,) = spec["containers"]
    assert (fetch["name"], assemble["name"], push["name"]) == ("fetch", "assemble", "push")
    assert fetch["image"] == push["image"] != assemble["image"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    kinds = {volume["name"]: next(key for key in volume if key != "name") for volume in spec["volumes"]}
    assert set(kinds.values()) <= {"emptyDir", "secret", "configMap"}, "no hostPath, no socket, no token"
    secret = {name for name, kind in kinds.items() if kind == "secret"}
    sees = {one["name"]: {m["name"] for m in one["volumeMounts"]} for one in (fetch, assemble, push)}
    assert sees["assemble"] == {"tools", "source", "layer"}
    assert sees["fetch"] & secret == {"registry-secret", "git-secret"}
    assert sees["push"] & secret == {"registry-secret"}
    for container in (fetch, assemble, push):
        context = container["securityContext"]
        assert not context.get("privileged")
        assert context["allowPrivilegeEscalation"] is False
        assert not [entry for entry in container.get("env", ()) if "valueFrom" in entry]
    # What ran, by the kubelet's account: the builder itself, and none of the three was started twice.
    statuses = {found["name"]: found for found in pod["status"]["initContainerStatuses"]}
    assert statuses["assemble"]["imageID"].endswith(assemble["image"].partition("@")[2])
    assert all(found["restartCount"] == 0 for found in statuses.values())


def the_image_is_the_builder_and_one_layer(on: Works, image: str) -> None:
    shelf, builder = on.place.shelf, on.place.images["leftover"]
    *below, top = shelf.layers(image)
    assert below == shelf.layers(builder)
    before, after = shelf.config(builder)["config"], shelf.config(image)["config"]
    assert after["User"] == before["User"] == "8888"
    assert after["Cmd"] == ["/s2i/bin/run"]
    added = {"MODEL_NAME": "Digits", "SERVICE_TYPE": "MODEL", "PERSISTENCE": "0", "EXTRA": "a 'quoted' $value"}
    assert variables(after) == {**variables(before), **added}
    layer = on.place.shelf.layer(image, top)
    assert "microservice/.wh.leftover" in layer, "what assemble deleted is gone"
    assert "microservice/Digits.py" in layer
    seen = layer["microservice/seen"].decode().split()
    assert set(seen) == {"layer", "source", "tools"}, "assemble saw no secret and no token"
    assert not [name for name in layer if "modelpipeline" in name or name.startswith("tmp/src")]


def kubectl_tells_the_story(on: Works) -> None:
    where = ("mpl/digits", "-n", on.namespace)
    on.kubectl("wait", *where, "--for=condition=Ready", "--timeout=1s")
    heads, line = on.kubectl("get", *where).splitlines()
    row = dict(zip(heads.split(), line.split(), strict=True))
    assert (row["STATUS"], row["READY"]) == ("Serving", "True")
    assert row["METRIC"].startswith("accuracy=0.9")
    described = on.kubectl("describe", *where)
    events = described.partition("Events:")[2]
    assert [word for word in ("Training", "Serving") if word not in events] == []


def variables(config: dict[str, Any]) -> dict[str, str]:
    """Return the environment of an image's configuration."""
    return {name: value for name, _, value in (entry.partition("=") for entry in config["Env"])}


def content_tag(on: Works) -> str:
    """Return the one tag that stands for the content."""
    (found,) = [tag for tag in on.tags() if tag.startswith("k-")]
    return found
