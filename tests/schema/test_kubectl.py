"""What a user sees of the API through kubectl: columns, explanations, words for a typo, the first status."""

from __future__ import annotations


from tests.support import make
from tests.support.kubectl import Kubectl


def test_status_says_not_looked_at_yet_right_after_create(kubectl: Kubectl, namespace: str) -> None:
    kubectl("create", "-n", namespace, "-f", "-", given=make.pipeline())

    assert kubectl.json("get", "mpl", "digits", "-n", namespace)["status"] == {"observedGeneration": -1}
