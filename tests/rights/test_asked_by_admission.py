"""Rights that no request shows: an admission plugin asks for them, and without one of them something is refused.

The plugin is OwnerReferencesPermissionEnforcement, on in OpenShift and in the clusters of these tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hack.cluster import cluster
from hack.seldon import wire
from modelpipeline.kinds import rights
from tests.support import audit, ground, manifests, usage, waiting
from tests.support.ground import Ground
from tests.support.usage import Use

Object = dict[str, Any]
Confined = Callable[[Sequence[Object]], Ground]

FINALIZERS = Use("modelpipeline.dev", "modelpipelines/finalizers", "update")
CLAIMS = Use("", "persistentvolumeclaims", "delete")


def rules(without: Use | None = None) -> list[Object]:
    """Return the rules of a Role for one namespace, one verb taken out of them."""
    kept = []
    for rule in rights.rules()["namespaced"]:
        [resource], [group] = rule["resources"], rule["apiGroups"]
        if verbs := [verb for verb in rule["verbs"] if Use(group, resource, verb) != without]:
            kept.append({**rule, "verbs": verbs})
    return kept


def trains(deletion: str) -> Object:
    """Return a pipeline with storage that goes with it, or stays."""
    storage = {"size": "1Gi", "accessModes": ["ReadWriteOnce"], "deletionPolicy": deletion}
    return manifests.digits(storage=storage, gate=None, build=None, deploy=None)


async def owned(here: Ground) -> Object:
    """Wait for the claim to belong to its pipeline."""
    return await here.until_any(
        wire.PERSISTENT_VOLUME_CLAIMS, "digits-models", lambda claim: claim["metadata"]["ownerReferences"]
    )


def test_each_such_right_has_a_test_here() -> None:
    assert usage.granted() - usage.granted(admission=False) == {FINALIZERS, CLAIMS}


async def test_with_all_rules_of_one_namespace_claims_follow_their_policy_and_nothing_is_refused(
    confined: Confined, api_cluster: cluster.Cluster
) -> None:
    lines = audit.Lines(api_cluster.audit_log)
    here = confined(rules())
    await here.apply(trains("Retain"))
    await here.ready("digits")
    await here.apply(trains("Delete"))
    await owned(here)
    here.operator.stop()
    record = usage.summed_up(lines, f"confined-{here.namespace}")
    assert record.used
    assert not record.refused, "in one namespace no right beyond it is needed, nor asked for"


async def test_without_the_right_on_finalizers_nothing_starts(confined: Confined) -> None:
    here = confined(rules(without=FINALIZERS))
    await here.apply(trains("Retain"))
    said = await here.until("digits", lambda found: ground.condition(found, "Ready")["reason"] == "Forbidden")
    assert "modelpipelines/finalizers" in ground.condition(said, "Ready")["message"]
    assert await here.nothing_started()


async def test_without_the_right_to_delete_claims_none_changes_its_owner(confined: Confined) -> None:
    here = confined(rules(without=CLAIMS))
    await here.apply(trains("Retain"))
    await here.ready("digits")
    await here.apply(trains("Delete"))

    async def refused() -> list[str]:
        return [str(entry) for entry in here.audit.changes() if (entry.verb, entry.code) == ("patch", 403)]

    await waiting.until_true(refused)
    claim = await here.one(wire.PERSISTENT_VOLUME_CLAIMS)
    assert not claim["metadata"].get("ownerReferences")
