"""That the comparison can be trusted: what the operator's own client asks is seen in the audit log, refused or not."""

from __future__ import annotations

import pytest

from hack.cluster import cluster
from modelpipeline import errors
from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds.kind import Kind
from modelpipeline.kube import client, connection
from tests.support import audit, usage
from tests.support.kubectl import Kubectl
from tests.support.usage import Use

SECRETS = Kind("", "v1", "Secret", "secrets")


async def test_what_no_rule_grants_is_on_record_with_its_namespace(
    api_cluster: cluster.Cluster, kubectl: Kubectl, namespace: str
) -> None:
    user = f"curious-{namespace}"
    kubectl("create", "role", "reads", "--verb=list", "--resource=pods", "-n", namespace)
    kubectl("create", "rolebinding", "reads", "--role=reads", f"--user={user}", "-n", namespace)
    lines = audit.Lines(api_cluster.audit_log)
    credentials = connection.Connection(str(api_cluster.kubeconfig_for(user)))
    await credentials.load()
    api = client.Client(credentials)
    try:
        await api.list(kinds.POD, namespace)
        with pytest.raises(errors.Retryable):
            await api.get(SECRETS, namespace, "canary")
        with pytest.raises(errors.Retryable):
            await api.logs(namespace, "other", "main")
    finally:
        await api.close()
    record = usage.summed_up(lines, user)
    assert record.used == {Use("", "pods", "list")}
    assert record.refused == {(Use("", "secrets", "get"), namespace), (Use("", "pods/log", "get"), namespace)}
    assert record.worked_in == {namespace}, "a list names no single object, but these did"
