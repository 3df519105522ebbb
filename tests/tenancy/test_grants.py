"""What docs/tenancy.md tells an administrator to type, typed as it stands, does what it says."""

from __future__ import annotations

import os
import re
import subprocess

from hack.chart import render
from hack.cluster import cluster
from tests.support import clusters, manifests
from tests.support.kubectl import Kubectl
from tests.tenancy import asking

PAGE = (clusters.ROOT / "docs" / "tenancy.md").read_text()
_ROLES = "templates/roles-for-people.yaml"


def _commands(namespace: str) -> list[str]:
    chapter = PAGE.partition("## Roles to grant\n")[2].partition("\n## ")[0]
    return [
        block.replace("-n models", f"-n {namespace}") for block in re.findall(r"```sh\n(.*?)```", chapter, re.DOTALL)
    ]


def test_what_the_page_says_to_grant_is_enough(
    restricted: asking.Place, api_cluster: cluster.Cluster, kubectl: Kubectl, namespace: str
) -> None:
    roles = render.text(f"--show-only={_ROLES}")
    kubectl("apply", "--server-side", "-f", "-", given=roles)
    secret = [{"secretRef": {"name": "regcred"}}]
    spec = {"train": manifests.train(envFrom=secret), "storage": {"size": "1Gi"}}
    pipeline = manifests.pipeline("digits", **spec, gate=[{"metric": "accuracy", "min": "0.9"}])
    alice = Kubectl(kubectl.binary, api_cluster.kubeconfig_for("alice"))
    create = ("create", "-n", namespace, "-f", "-")
    alice.refused(*create, given=pipeline)

    path = f"{kubectl.binary.parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "KUBECONFIG": str(kubectl.kubeconfig)}
    *grants, see = _commands(namespace)
    assert len(grants) == 4
    for block in grants:
        subprocess.run(["bash", "-ec", block], env=environment, check=True, capture_output=True)

    def answers() -> list[str]:
        asked = subprocess.run(["bash", "-c", see], env=environment, check=False, capture_output=True, text=True)
        return asked.stdout.split()

    asking.soon(lambda: answers() == ["yes", "yes", "yes"])
    alice(*create, given=pipeline)
    loosen = ("patch", "mpl", "digits", "-n", namespace, "--type=merge", "-p", '{"spec": {"gate": null}}')
    assert "alice may not approve digits" in alice.refused(*loosen)

    # Whoever changes the spec names what it names, so an approver needs those rights as well.
    bob = restricted.author("bob")
    assert "bob may not " in bob.patch_said(namespace, "digits", {"spec": {"gate": None}})
    approve = {"metadata": {"annotations": {"modelpipeline.dev/approve": "1-x"}}}
    assert bob.patch_said(namespace, "digits", approve) == ""
