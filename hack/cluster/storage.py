"""Storage of a node tier: the default StorageClass and its ready-made volumes.

No provisioner can be had without a hub, so volumes are folders made beforehand. A volume whose claim is gone is
emptied and offered again by the next `up`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from hack.cluster import node
from hack.cluster.trouble import Trouble

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


def recycle(kubectl: Path, kubeconfig: Path, state: Path) -> None:
    """Empty the volumes whose claims are gone and offer them again."""
    command = [str(kubectl), f"--kubeconfig={kubeconfig}"]
    listed = subprocess.run(
        [*command, "get", "persistentvolumes", "-o", "json"], capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        raise Trouble(f"volumes could not be listed: {listed.stderr}", f"try: {' '.join(command)} get pv")
    for volume in json.loads(listed.stdout)["items"]:
        name = volume["metadata"]["name"]
        folder = _folder(state, name)
        if volume["status"].get("phase") != "Released" or not folder.exists():
            continue
        shutil.rmtree(folder)
        _make(folder)
        subprocess.run(
            [*command, "patch", "persistentvolume", name, "--patch", json.dumps({"spec": {"claimRef": None}})],
            capture_output=True,
            check=True,
        )


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
