"""The policies themselves: what the chart renders, and that the API server finds no fault with their types."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from modelpipeline.schema import places
from tests.support.kubectl import Kubectl, Refused
from tests.tenancy import asking

Object = dict[str, Any]

POLICY, BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
LIMITS: Object = {
    "imagePrefixes": ["registry.example/{namespace}", "docker.io"],
    "resources": {"cpu": 4, "ephemeral-storage": 34359738368, "memory": "16Gi", "nvidia.com/gpu": "2"},
    "storage": "10Gi",
    "replicas": 3,
    "refusedNamespaces": ["kube-system", "finance"],
}


def test_a_trusted_cluster_has_no_policy() -> None:
    assert asking.rendered() == []
    assert asking.rendered(tenancy="Trusted", limits=LIMITS) == []


@pytest.mark.parametrize("fullname", ["modelpipeline-operator", "f" * 63])
def test_each_policy_has_one_binding_that_denies_and_the_releases_name(fullname: str) -> None:
    objects = asking.rendered(fullname, tenancy="Restricted")
    policies = [one for one in objects if one["kind"] == POLICY]
    bindings = [one for one in objects if one["kind"] == BINDING]
    assert len(policies) == len(bindings) == 4
    for policy, binding in zip(policies, bindings, strict=True):
        name = policy["metadata"]["name"]
        assert name.startswith(fullname[:40])
        assert len(name) <= 63
        assert binding["metadata"]["name"] == binding["spec"]["policyName"] == name
        assert binding["spec"]["validationActions"] == ["Deny"]
        assert "matchResources" not in binding["spec"], "every namespace"
        assert policy["spec"]["failurePolicy"] == "Fail"
        (rule,) = policy["spec"]["matchConstraints"]["resourceRules"]
        assert rule["resources"] == ["modelpipelines"], "whoever writes the status is not asked"
        assert rule["operations"] == ["CREATE", "UPDATE"]


def test_every_expression_has_words_for_when_none_can_be_made() -> None:
    for policy in (one for one in asking.rendered(tenancy="Restricted") if one["kind"] == POLICY):
        for check in policy["spec"]["validations"]:
            assert check["message"]
            assert "\n" not in check["message"]
            assert check["messageExpression"]


def test_a_release_of_some_namespaces_asks_in_those_alone() -> None:
    objects = asking.rendered(tenancy="Restricted", watchNamespaces=["team-a", "team-b"])
    for binding in (one for one in objects if one["kind"] == BINDING):
        (chosen,) = binding["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"]
        assert chosen == {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["team-a", "team-b"]}


def test_limits_are_literals_and_the_operators_own_namespace_is_one_of_the_refused() -> None:
    objects = asking.rendered(tenancy="Restricted", limits=LIMITS)
    policy = next(one for one in objects if one["kind"] == POLICY and one["metadata"]["name"].endswith("-limits"))
    found = {one["name"]: one["expression"] for one in policy["spec"]["variables"][:5]}
    assert found == {
        "imagePrefixes": '["registry.example/{namespace}","docker.io"]',
        "resources": '[["cpu","4"],["ephemeral-storage","34359738368"],["memory","16Gi"],["nvidia.com/gpu","2"]]',
        "storage": '"10Gi"',
        "replicas": "3",
        "refusedNamespaces": f'["kube-system","finance","{asking.SYSTEM}"]',
    }


@pytest.mark.parametrize("limits", [{}, LIMITS], ids=["no limits", "all limits"])
def test_the_api_server_finds_no_fault_with_the_types(place: asking.Place, namespace: str, limits: Object) -> None:
    release = f"t{namespace[-6:]}"
    objects = asking.rendered(release, tenancy="Restricted", watchNamespaces=[namespace], limits=limits)
    wrong = copy.deepcopy(next(one for one in objects if one["kind"] == POLICY))
    wrong["metadata"]["name"] = f"{release}-wrong"
    wrong["spec"]["validations"] = [{"expression": "object.spec.nowhere.image != ''"}]
    try:
        place.apply(*objects, wrong)
        found = {name: one for name, one in place.policies().items() if name.startswith(release)}
    finally:
        place.remove(*objects, wrong)
    assert found.pop(f"{release}-wrong")["status"]["type_checking"]["expression_warnings"], "a typo is found"
    assert len(found) == 4
    assert not [name for name, one in found.items() if one["status"]["type_checking"]["expression_warnings"]]


@pytest.fixture
def listing(place: asking.Place, namespace: str) -> Iterator[Object]:
    """Give a policy on pods, whose env is a list in a list as build[].secrets[] will be: no variable named BAD."""
    key = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    env = {"type": "array", "maxItems": 9, "items": {"properties": {"name": {"type": "string"}}}}
    containers = {"type": "array", "maxItems": 3, "items": {"properties": {"env": env, "name": {}}}, **key}
    root = {"properties": {"spec": {"properties": {"containers": containers}}}}
    found = places.each(
        "spec.containers[].env[].name", lambda value, at, _: f"[string({value}.orValue('')), {at}]", root
    )
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": POLICY,
        "metadata": {"name": f"lists-{namespace}"},
        "spec": {
            "matchConstraints": {"resourceRules": [rule]},
            "variables": [{"name": "bad", "expression": f"{found}.filter(p, p[0] == 'BAD')"}],
            "validations": [{"expression": "variables.bad.size() == 0", "messageExpression": "variables.bad[0][1]"}],
        },
    }
    only = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": BINDING,
        "metadata": {"name": f"lists-{namespace}"},
        "spec": {"policyName": f"lists-{namespace}", "validationActions": ["Deny"], "matchResources": only},
    }
    place.apply(policy, binding)
    yield policy
    place.remove(policy, binding)


def test_lists_in_lists_are_gone_through_to_the_last_item(
    listing: Object, place: asking.Place, namespace: str, kubectl: Kubectl
) -> None:
    def pod(*names: str) -> Object:
        containers = [
            {"name": f"c{number}", "image": "x", "env": [{"name": "GOOD", "value": "1"}, {"name": name, "value": "1"}]}
            for number, name in enumerate(names)
        ]
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": containers}}

    run = ("create", "--dry-run=server", "-n", namespace, "-f", "-")
    asking.soon(lambda: _fails(kubectl, *run, given=pod("BAD")))
    assert "spec.containers[c0].env[].name" in kubectl.refused(*run, given=pod("BAD"))
    assert "spec.containers[c2].env[].name" in kubectl.refused(*run, given=pod("A", "B", "BAD"))
    kubectl(*run, given=pod("A", "B", "C"))


def _fails(kubectl: Kubectl, *arguments: str, given: Object) -> bool:
    try:
        kubectl(*arguments, given=given)
    except Refused:
        return True
    return False
