"""Whatever a spec says, in any of its fields: the pods made of it keep to Pod Security restricted, builds to baseline.

Root is the one thing that a spec may ask for, aloud; a namespace that enforces restricted then refuses the pod. Every
leaf of the CRD is filled at random; the rules are written down in podsecurity.py, and the API server judges a sample.
"""

from __future__ import annotations

import collections
import datetime
import functools
import string
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from hack.cluster import cluster
from hack.seldon import wire
from modelpipeline.kinds import kind as kinds
from modelpipeline.schema import crd
from modelpipeline.stages import actions, plan
from modelpipeline.stages.policy import Policy
from tests.attacks import corpus, podsecurity
from tests.attacks.podsecurity import Object
from tests.support import manifests

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
EXAMPLES = 120
PHASES = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
POLICY = Policy(build_image="registry.example/build:1", proxy={"HTTPS_PROXY": "http://proxy.example"})

HOSTILE = st.sampled_from(corpus.ALL)
PLAIN = st.text(string.ascii_lowercase, min_size=1, max_size=8)


def of(node: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return values for a part of the schema: what it takes, and in free text what was made to harm."""
    if "enum" in node:
        return st.sampled_from(node["enum"])
    if node.get("x-kubernetes-int-or-string"):
        return st.one_of(st.integers(0, 10_000), st.sampled_from(["1", "500m", "2Gi"]))
    made: dict[str, Callable[[dict[str, Any]], st.SearchStrategy[Any]]] = {
        "object": _object,
        "array": _array,
        "string": _string,
        "integer": _integer,
        "boolean": lambda _: st.booleans(),
    }
    return made[node["type"]](node)


def _object(node: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "additionalProperties" in node:
        return st.dictionaries(PLAIN, of(node["additionalProperties"]), max_size=3)
    needed = {name: of(inner) for name, inner in node["properties"].items() if name in node.get("required", ())}
    other = {name: of(inner) for name, inner in node["properties"].items() if name not in needed}
    return st.fixed_dictionaries(needed, optional=other)


def _array(node: dict[str, Any]) -> st.SearchStrategy[Any]:
    keys = node.get("x-kubernetes-list-map-keys")
    unique = (lambda item: tuple(item[key] for key in keys)) if keys else None
    return st.lists(of(node["items"]), min_size=node.get("minItems", 0), max_size=3, unique_by=unique)


def _string(node: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "pattern" not in node:
        return st.one_of(PLAIN, HOSTILE).filter(lambda text: len(text) <= node.get("maxLength", 1 << 20))
    shortest, longest = node.get("minLength", 0), min(node.get("maxLength", 40), 40)
    return st.from_regex(node["pattern"], fullmatch=True).filter(lambda text: shortest <= len(text) <= longest)


def _integer(node: dict[str, Any]) -> st.SearchStrategy[Any]:
    low, high = node.get("minimum", 0), node.get("maximum", 1 << 31)
    return st.one_of(st.just(low), st.integers(low, high))


def mended(spec: Object) -> Object:
    """Return the spec as the rules across fields want it, so that more than refusals comes of it."""
    builds = spec.get("build") or []
    for build in builds:
        one = next(iter(set(build["source"]) & {"git", "configMap"}), None)
        kept = {"git": {"url": "https://git.example/x.git"}} if one is None else {one: build["source"][one]}
        build["source"] = {**kept, **({"path": build["source"]["path"]} if "path" in build["source"] else {})}
    for block in (spec.get("train"), spec.get("deploy")):
        if block is None:
            continue
        if builds and "image" not in block:
            block["imageFrom"] = builds[0]["name"]
        else:
            block.pop("imageFrom", None)
            block.setdefault("image", "registry.example/x:1")
    for metric in (spec.get("train") or {}).get("metrics", ()):
        metric["pattern"] = "(x)"
    return spec


SPECS = of(crd.schema()["properties"]["spec"]).map(mended)


def rendered(spec: Object) -> list[Object]:
    """Return every child that the operator would send for a spec, as its dry run has them; none when it is refused."""
    pipeline = manifests.pipeline("fuzzed", **spec)
    pipeline["metadata"] |= {"uid": "u", "namespace": "n", "generation": 1, "labels": {"evil": "x"}}
    pipeline["metadata"]["annotations"] = {"sidecar.istio.io/inject": "true", "evil": "x"}
    made = plan.plan(pipeline, {}, actions.Memory(), NOW, POLICY)
    return [body for action in made.actions if isinstance(action, actions.DryRun) for _, body in action.bodies]


def pods(child: Object) -> list[Object]:
    """Return the pod specs in a child."""
    if child["kind"] == kinds.POD.name:
        return [child["spec"]]
    if child["kind"] == kinds.JOB.name:
        return [child["spec"]["template"]["spec"]]
    if child["kind"] == kinds.SELDON_DEPLOYMENT.name:
        return [one["spec"] for predictor in child["spec"]["predictors"] for one in predictor["componentSpecs"]]
    return []


ROOT = manifests.digits(
    train=manifests.train(runAsUser=0),
    build=[manifests.build(assembleUser=0)],
    deploy={"imageFrom": "server", "runAsUser": 0},
)["spec"]


@hypothesis.given(SPECS)
@hypothesis.example(ROOT)
@hypothesis.settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=PHASES,
    suppress_health_check=list(hypothesis.HealthCheck),
)
def test_no_field_leads_out_of_pod_security(spec: Object) -> None:
    for child in rendered(spec):
        for pod in pods(child):
            judged(child, pod)
        assert "evil" not in str(child.get("metadata")), (
            "labels and annotations of a pipeline do not reach its children"
        )
        assert child["metadata"]["namespace"] == "n"


def judged(child: Object, pod: Object) -> None:
    assert podsecurity.baseline(pod) == []
    assert pod["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in pod
    assert not [volume for volume in pod.get("volumes", ()) if "projected" in volume or "csi" in volume]
    asked = {pod["securityContext"].get("runAsUser"), *(_user(one) for one in podsecurity.containers(pod))}
    if 0 not in asked:
        assert podsecurity.restricted(pod) == []
        return
    # Root was asked for by name: that, what makes it useful, and nothing else.
    root = {"runAsNonRoot", "runAsUser", *(("capabilities.add",) if child["kind"] == kinds.POD.name else ())}
    assert {words.rpartition(": ")[2] for words in podsecurity.restricted(pod)} <= root


def _user(container: Object) -> Any:
    return container["securityContext"].get("runAsUser")


@functools.cache
def sample() -> tuple[Object, ...]:
    """Return the children of some specs, one of which asks for root wherever it can."""
    found = rendered(ROOT)

    @hypothesis.given(SPECS)
    @hypothesis.settings(
        max_examples=40,
        deadline=None,
        derandomize=True,
        phases=PHASES,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    def look(spec: Object) -> None:
        found.extend(rendered(spec))

    look()
    return tuple(found)


def test_the_fuzz_renders_every_kind_of_pod() -> None:
    """A fuzz of which nothing is ever rendered would prove nothing."""
    seen = collections.Counter(child["kind"] for child in sample())
    assert set(seen) == {"Pod", "Job", "SeldonDeployment", "PersistentVolumeClaim"}
    assert min(seen.values()) > 2


@pytest.mark.parametrize("part", ["baseline", "restricted"])
@pytest.mark.parametrize(
    "bad", sorted({"hostNetwork", "hostPath", "privileged", "SYS_ADMIN", "Unconfined", "hostPort"})
)
def test_the_rules_as_written_down_see_what_is_wrong(part: str, bad: str) -> None:
    pod: Object = {"containers": [{"name": "c", "securityContext": {}}]}
    own = pod["containers"][0]["securityContext"]
    changes: dict[str, Callable[[], object]] = {
        "hostNetwork": lambda: pod.update(hostNetwork=True),
        "hostPath": lambda: pod.update(volumes=[{"name": "v", "hostPath": {"path": "/"}}]),
        "privileged": lambda: own.update(privileged=True),
        "SYS_ADMIN": lambda: own.update(capabilities={"add": ["SYS_ADMIN"]}),
        "Unconfined": lambda: own.update(seccompProfile={"type": "Unconfined"}),
        "hostPort": lambda: pod["containers"][0].update(ports=[{"hostPort": 1}]),
    }
    assert podsecurity.baseline(pod) == []
    changes[bad]()
    assert getattr(podsecurity, part)(pod)


@pytest.mark.parametrize("level", ["baseline", "restricted"])
async def test_the_api_server_agrees(api_cluster: cluster.Cluster, kubectl: Any, namespace: str, level: str) -> None:
    """Of a sample: every pod that is right by our rules is admitted, or refused for something else."""
    kubectl("label", "--overwrite", "namespace", namespace, f"pod-security.kubernetes.io/enforce={level}")
    made = [pod for child in sample() for pod in pods(child)]
    right = [pod for pod in made if not getattr(podsecurity, level)(pod)]
    wrong = [pod for pod in made if getattr(podsecurity, level)(pod)]
    assert (len(right) > 5, bool(wrong)) == (True, level == "restricted")
    async with wire.Wire(api_cluster.kubeconfig) as api:
        admitted = [await judgement(api, namespace, pod) for pod in right[:40]]
        refused = [await judgement(api, namespace, pod) for pod in wrong[:10]]
    assert "admitted" in admitted
    assert "PodSecurity" not in admitted
    assert "admitted" not in refused


async def judgement(api: wire.Wire, namespace: str, pod: Object) -> str:
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "sample"}, "spec": pod}
    try:
        await api.request("POST", wire.PODS.path(namespace), body, {"dryRun": "All"})
    except wire.Refused as refusal:
        return "PodSecurity" if "PodSecurity" in refusal.message else "otherwise"
    return "admitted"
