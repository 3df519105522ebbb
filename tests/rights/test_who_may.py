"""Who may do what, as a real API server answers: the operator, and people by the roles that the chart adds to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hack.cluster import cluster
from hack.seldon import wire
from tests.support import release, usage, waiting
from tests.support.kubectl import Kubectl
from tests.support.usage import Use

Object = dict[str, Any]

_REVIEW = "/apis/authorization.k8s.io/v1"
PIPELINES = ("modelpipeline.dev", "modelpipelines")
WRITES = ("create", "update", "patch", "delete", "deletecollection")
READS = ("get", "list", "watch")


@pytest.fixture
async def api(api_cluster: cluster.Cluster) -> AsyncIterator[wire.Wire]:
    async with wire.Wire(api_cluster.kubeconfig) as opened:
        yield opened


async def may(api: wire.Wire, user: str, use: Use, namespace: str = "", groups: tuple[str, ...] = ()) -> bool:
    """Ask what `kubectl auth can-i --as` asks."""
    resource, _, sub = use.resource.partition("/")
    about = {"group": use.group, "resource": resource, "subresource": sub, "verb": use.verb, "namespace": namespace}
    spec = {"user": user, "groups": ["system:authenticated", *groups], "resourceAttributes": about}
    answer = await api.request("POST", f"{_REVIEW}/subjectaccessreviews", {"spec": spec})
    return bool(answer["status"]["allowed"])


async def rules_of(kubeconfig: Path, namespace: str) -> list[Object]:
    """Return the rules that somebody has in a namespace, as `kubectl auth can-i --list` shows them."""
    async with wire.Wire(kubeconfig) as asking:
        path = f"{_REVIEW}/selfsubjectrulesreviews"
        answer = await asking.request("POST", path, {"spec": {"namespace": namespace}})
    assert not answer["status"]["incomplete"]
    return list(answer["status"]["resourceRules"])


async def test_case_60_the_operator_may_do_what_the_table_says_and_no_more(
    api_cluster: cluster.Cluster, operators: Path, namespace: str
) -> None:
    anybody = usage.in_rules(await rules_of(api_cluster.kubeconfig_for("anybody"), namespace))
    operator = usage.in_rules(await rules_of(operators, namespace))
    assert usage.told(operator - anybody) == usage.told(usage.granted())


EVERYWHERE = [
    *(Use("", resource, verb) for resource in ("secrets", "configmaps") for verb in (*READS, *WRITES)),
    *(Use("", f"pods/{sub}", "create") for sub in ("exec", "attach", "portforward", "proxy", "eviction", "binding")),
    *(Use("", f"pods/{sub}", "get") for sub in ("exec", "attach", "portforward", "proxy")),
    *(Use("", f"pods/{sub}", verb) for sub in ("ephemeralcontainers", "status") for verb in ("update", "patch")),
    Use("", "serviceaccounts/token", "create"),
    *(Use("", "serviceaccounts", verb) for verb in (*WRITES, "impersonate")),
    *(Use("", resource, "impersonate") for resource in ("users", "groups")),
    *(Use("", "nodes", verb) for verb in (*READS, *WRITES)),
    Use("", "nodes/proxy", "get"),
    *(Use("", "namespaces", verb) for verb in (*READS, *WRITES)),
    *(
        Use("rbac.authorization.k8s.io", resource, verb)
        for resource in ("roles", "rolebindings", "clusterroles", "clusterrolebindings")
        for verb in (*WRITES, "escalate", "bind")
    ),
    *(
        Use("admissionregistration.k8s.io", resource, verb)
        for resource in (
            "validatingwebhookconfigurations",
            "mutatingwebhookconfigurations",
            "validatingadmissionpolicies",
        )
        for verb in WRITES
    ),
    *(Use("apiextensions.k8s.io", "customresourcedefinitions", verb) for verb in ("get", *WRITES)),
    *(Use("apps", "deployments", verb) for verb in WRITES),
    *(Use(*PIPELINES, verb) for verb in (*WRITES, "approve")),
    Use("machinelearning.seldon.io", "seldondeployments", "patch"),
    Use("", "persistentvolumes", "get"),
]


@pytest.mark.usefixtures("operators")
async def test_case_60_the_operator_may_not(api: wire.Wire, namespace: str) -> None:
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{release.NAMESPACE}")
    assert await may(api, release.USER, Use("", "pods", "create"), namespace, groups), "the question is put rightly"
    allowed = [use for use in EVERYWHERE if await may(api, release.USER, use, namespace, groups)]
    assert usage.told(allowed) == []


PEOPLE = {
    "nobody": set(),
    "view": {*READS},
    "edit": {*READS, *WRITES},
    "admin": {*READS, *WRITES, "approve"},
}
"""Role of the person in a namespace -> the verbs on pipelines that the chart adds to it."""


@pytest.mark.usefixtures("operators")
@pytest.mark.parametrize("person", PEOPLE)
async def test_people_may_do_with_pipelines_what_their_role_says(
    api: wire.Wire, kubectl: Kubectl, namespace: str, person: str
) -> None:
    user = f"{person}-{namespace}"
    if person != "nobody":
        kubectl("create", "rolebinding", person, f"--clusterrole={person}", f"--user={user}", "-n", namespace)
    asked = (*READS, *WRITES, "approve", "use", "bind", "escalate")

    async def allowed(resource: str) -> set[str]:
        return {verb for verb in asked if await may(api, user, Use(PIPELINES[0], resource, verb), namespace)}

    async def aggregated() -> bool:
        return await allowed("modelpipelines") == PEOPLE[person]

    # A controller adds the chart's rules to the roles of people, a moment after they are there.
    await waiting.until_true(aggregated)
    assert await allowed("modelpipelines/status") == PEOPLE[person] & {*READS}, "status is the operator's word"
    assert await allowed("modelpipelines/finalizers") == set()
    for verb in asked:
        assert not await may(api, user, Use(*PIPELINES, verb), "default"), "only in their own namespace"


@pytest.mark.usefixtures("operators")
async def test_who_approves_may_still_write_nothing(api: wire.Wire, kubectl: Kubectl, namespace: str) -> None:
    """`approve` is a verb of its own: somebody may have it who only looks at pipelines otherwise."""
    user = f"approver-{namespace}"
    role = f"--clusterrole={release.ACCOUNT}-approver"
    kubectl("create", "rolebinding", "approver", role, f"--user={user}", "-n", namespace)
    assert await may(api, user, Use(*PIPELINES, "approve"), namespace)
    assert not [verb for verb in WRITES if await may(api, user, Use(*PIPELINES, verb), namespace)]


async def test_in_a_namespace_that_is_not_watched_a_confined_operator_may_do_nothing(
    api: wire.Wire, api_cluster: cluster.Cluster, kubectl: Kubectl, namespace: str
) -> None:
    user = f"elsewhere-{namespace}"
    rules = [rule for rule in release.rendered({"watchNamespaces": [namespace]}) if rule["kind"] == "Role"]
    [role] = [found for found in rules if found["metadata"]["name"] == release.ACCOUNT]
    kubectl("apply", "-n", namespace, "-f", "-", given=role)
    kubectl("create", "rolebinding", "op", f"--role={release.ACCOUNT}", f"--user={user}", "-n", namespace)
    here = usage.in_rules(await rules_of(api_cluster.kubeconfig_for(user), namespace))
    assert usage.told(here & usage.granted()) == usage.told(
        use for use in usage.granted() if use.resource != "customresourcedefinitions"
    )
    allowed = [use for use in usage.granted() for where in ("default", "") if await may(api, user, use, where)]
    assert usage.told(allowed) == []
