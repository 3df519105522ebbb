"""The NetworkPolicies select the pods that they mean, by the labels that the operator really gives.

No network here enforces them; the fields are Kubernetes' (test_judges), and who is selected is computed here.
"""

from __future__ import annotations

import ipaddress

import pytest

from hack.chart import render
from modelpipeline.api import names
from modelpipeline.stages import build, train
from tests.chart import conftest

RUN = "1-2c2201ce"
BUILDS = names.child_labels("digits", RUN, f"{build.PREFIX}server")
OTHER_HELPER = names.child_labels("digits", RUN, "smoke")
TRAINS = names.child_labels("digits", RUN, train.STEP)
SERVES = {"version": "f1b71802", names.PIPELINE: "digits", names.REVISION: "f1b71802"}


def selects(policy: conftest.Object, labels: dict[str, str]) -> bool:
    """Return what Kubernetes would say of the policy's podSelector."""
    selector = policy["spec"]["podSelector"]
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    return all(_holds(one, labels) for one in selector.get("matchExpressions", []))


def _holds(one: conftest.Object, labels: dict[str, str]) -> bool:
    key, operator, values = one["key"], one["operator"], one.get("values", [])
    return {
        "In": labels.get(key) in values,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }[operator]


@pytest.mark.parametrize(
    ("labels", "selected"),
    [
        pytest.param(BUILDS, True, id="a build"),
        pytest.param(OTHER_HELPER, True, id="a pod for another step"),
        pytest.param(TRAINS, False, id="a training, whose needs only its author knows"),
        pytest.param(SERVES, False, id="a server, which is there to be reached"),
        pytest.param({"app": "shop"}, False, id="somebody else's pod"),
    ],
)
def test_the_policy_of_builds_means_builds(labels: dict[str, str], selected: bool) -> None:
    found = [one for one in conftest.objects("restricted") if one["kind"] == "NetworkPolicy"]
    policies = [one for one in found if one["metadata"]["name"].endswith("-build")]
    assert {one["metadata"]["namespace"] for one in policies} == {"team-a", "team-b"}
    assert {selects(one, labels) for one in policies} == {selected}


def test_the_policy_of_the_operator_means_its_pod_and_no_other() -> None:
    found = conftest.objects("restricted")
    policy = conftest.one("NetworkPolicy", found, "modelpipeline-operator")
    assert selects(policy, conftest.one("Deployment", found)["spec"]["template"]["metadata"]["labels"])
    assert not selects(policy, conftest.one("Pod", found)["metadata"]["labels"])


def test_service_and_monitors_find_the_pod_of_the_operator_alone() -> None:
    found = render.objects(
        *(
            f"--set=metrics.{kind}.enabled=true,metrics.{kind}.renderMode=alwaysRender"
            for kind in ("serviceMonitor", "podMonitor")
        )
    )
    pod = conftest.one("Deployment", found)["spec"]["template"]["metadata"]["labels"]
    service, tester = conftest.one("Service", found), conftest.one("Pod", found)["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= pod.items()
    assert not service["spec"]["selector"].items() <= tester.items()
    assert (
        conftest.one("ServiceMonitor", found)["spec"]["selector"]["matchLabels"].items()
        <= service["metadata"]["labels"].items()
    )
    assert conftest.one("PodMonitor", found)["spec"]["selector"]["matchLabels"].items() <= pod.items()


def test_builds_reach_neither_metadata_nor_the_api_server_nor_what_is_named() -> None:
    policy = conftest.one("NetworkPolicy", _builds())
    blocks = [to["ipBlock"] for rule in policy["spec"]["egress"] for to in rule.get("to", [])]
    for address in ("169.254.169.254", "10.0.0.1", "192.0.2.10", "10.100.3.4", "fe80::1", "fd00:ec2::254"):
        assert not any(_within(address, block) for block in blocks), address
    for address in ("10.244.0.7", "198.51.100.1", "2001:db8::1"):
        assert any(_within(address, block) for block in blocks), address


def _builds() -> list[conftest.Object]:
    return [
        one
        for one in conftest.objects("restricted")
        if one["metadata"]["name"].endswith("-build") and one["metadata"]["namespace"] == "team-a"
    ]


def _within(address: str, block: conftest.Object) -> bool:
    here, whole = ipaddress.ip_address(address), ipaddress.ip_network(block["cidr"])
    left_out = [ipaddress.ip_network(one) for one in block.get("except", [])]
    assert all(one.version == whole.version for one in left_out), "the API server refuses an except of another family"
    return here in whole and not any(here in one for one in left_out)
