"""What the operator may not do, and what it never shows: secrets."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from hack.cluster import cluster
from hack.seldon import wire
from tests.support import clusters, ground, kubectl, manifests, release
from tests.support.ground import Ground

Object = dict[str, Any]

TRAIN = {ground.STEP: "train"}
BUILD = {ground.STEP: "build-server"}
CANARY = "correct-horse-battery-staple"
_ENFORCE = f"{clusters.POD_SECURITY}/enforce"


@pytest.mark.parametrize(
    ("verb", "what"),
    [
        ("get", "secrets"),
        ("list", "secrets"),
        ("create", "secrets"),
        ("create", "pods --subresource=exec"),
        ("update", "modelpipelines.modelpipeline.dev"),
        ("patch", "modelpipelines.modelpipeline.dev"),
        ("delete", "modelpipelines.modelpipeline.dev"),
        ("create", "clusterrolebindings"),
        ("patch", "deployments.apps"),
        ("create", "serviceaccounts --subresource=token"),
    ],
)
def test_case_60_the_operators_user_may_not(
    api_cluster: cluster.Cluster, operator_kubeconfig: Path, namespace: str, verb: str, what: str
) -> None:
    as_operator = kubectl.Kubectl(api_cluster.binary("kubectl"), operator_kubeconfig)
    assert as_operator("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}") == release.USER
    as_operator.refused("auth", "can-i", verb, *what.split(), "-n", namespace, "--quiet")


def test_case_60_no_rule_names_secrets_or_everything() -> None:
    operators = [role for role in release.rights() if role["metadata"]["name"] == release.ACCOUNT and "rules" in role]
    assert operators
    for rule in [rule for role in operators for rule in role["rules"]]:
        assert "secrets" not in rule["resources"]
        assert not any("*" in words for words in rule.values())


async def test_case_60_three_steps_pass_with_these_rights_and_pods_get_no_token(here: Ground) -> None:
    here.node.script(TRAIN, message=manifests.report({"accuracy": "0.97"}))
    here.node.script(BUILD, message=manifests.pushed())
    await here.apply(manifests.digits())
    await here.ready("digits")
    assert not [str(entry) for entry in here.audit.entries() if entry.code == 403]
    for pod in await here.api.list(wire.PODS, here.namespace):
        assert pod["spec"]["automountServiceAccountToken"] is False
        names = [volume["name"] for volume in pod["spec"]["volumes"]]
        assert not [name for name in names if name.startswith("kube-api-access")]


@pytest.mark.parametrize(("level", "user"), [("baseline", 0), ("restricted", 1001)])
async def test_case_19_every_pod_is_admitted_where_pod_security_is_enforced(
    here: Ground, level: str, user: int
) -> None:
    here.kubectl("label", "--overwrite", "namespace", here.namespace, f"{_ENFORCE}={level}")
    here.node.script(TRAIN, message=manifests.report({"accuracy": "0.97"}))
    here.node.script(BUILD, message=manifests.pushed())
    await here.apply(manifests.digits(build=[manifests.build(assembleUser=user)]))
    await here.ready("digits")


async def test_case_19_a_pod_that_may_not_run_here_is_refused_before_anything_starts(here: Ground) -> None:
    here.kubectl("label", "--overwrite", "namespace", here.namespace, f"{_ENFORCE}=restricted")
    await here.apply(manifests.digits(build=[manifests.build(assembleUser=0)]))
    refused = await here.stalled("digits")
    assert ground.says(refused, "Ready") == ("False", "PodSecurityDenied")
    assert "kubectl " in ground.condition(refused, "Ready")["message"]
    assert await here.nothing_started()


async def test_no_value_of_a_secret_is_ever_shown(here: Ground) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "canary"}, "stringData": {"token": CANARY}}
    await here.api.create(ground.SECRETS, here.namespace, secret)
    from_secret = [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "canary", "key": "token"}}}]
    here.node.script(TRAIN, message=manifests.report({"accuracy": "0.97"}))
    here.node.script(BUILD, message=manifests.pushed())
    await here.apply(
        manifests.digits(
            train=manifests.train(env=from_secret, envFrom=[{"secretRef": {"name": "canary"}}]),
            build=[manifests.build(pushSecretName="canary")],
            deploy={"imageFrom": "server", "env": from_secret},
        )
    )
    done = await here.ready("digits")
    kinds = (wire.PERSISTENT_VOLUME_CLAIMS, ground.JOBS, wire.PODS, wire.SELDON_DEPLOYMENTS, ground.EVENTS)
    shown = [done, *[item for kind in kinds for item in await here.api.list(kind, here.namespace)]]
    text = json.dumps(shown) + here.operator.log
    for form in (CANARY, base64.b64encode(CANARY.encode()).decode()):
        assert form not in text
    build = await here.one(wire.PODS, "build-server")
    assemble = next(item for item in build["spec"]["initContainers"] if item["name"] == "assemble")
    mounted = {mount["name"] for mount in assemble["volumeMounts"]}
    secrets = {volume["name"] for volume in build["spec"]["volumes"] if "secret" in volume}
    assert secrets
    assert not mounted & secrets, "the builder's code never sees a secret"
