"""Storage of a node tier: the default StorageClass and its ready-made volumes.

No provisioner can be had without a hub, so volumes are folders made beforehand. A volume whose claim is gone is
emptied and offered again by the next `up`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from hack.cluster import kubectl, node

CLASS = "standard"
# A size is a promise and takes no room; enough volumes that a whole test session need not wait for the next `up`.
_SIZE, _COUNT = "10Gi", 64


def objects(state: Path) -> list[dict[str, object]]:
    """Return class and volumes, and make the folders of the volumes."""
    storage_class: dict[str, object] = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    }
    return [storage_class, *(_volume(state, number) for number in range(_COUNT))]


def recycle(binary: Path, kubeconfig: Path, state: Path) -> None:
    """Empty the volumes whose claims are gone and offer them again."""
    listed = kubectl.run(binary, kubeconfig, "get", "persistentvolumes", "-o", "json")
    for volume in json.loads(listed)["items"]:
        name = volume["metadata"]["name"]
        folder = _folder(state, name)
        if volume["status"].get("phase") != "Released" or not folder.exists():
            continue
        shutil.rmtree(folder)
        _make(folder)
        free = json.dumps({"spec": {"claimRef": None}})
        kubectl.run(binary, kubeconfig, "patch", "persistentvolume", name, "--patch", free)


def _volume(state: Path, number: int) -> dict[str, object]:
    name = f"volume-{number:02}"
    _make(_folder(state, name))
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node.NAME]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": _SIZE},
            "accessModes": ["ReadWriteOnce", "ReadWriteMany", "ReadOnlyMany"],
            "storageClassName": CLASS,
            "persistentVolumeReclaimPolicy": "Retain",
            "local": {"path": str(_folder(state, name))},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    }


def _folder(state: Path, name: str) -> Path:
    return state / "volumes" / name


def _make(folder: Path) -> None:
    """Make a folder that any user of a pod may write: the pods of this tier are not each other's enemies."""
    folder.mkdir(parents=True)
    folder.chmod(0o777)
