"""The example's pipeline with this cluster's registry and git server in it, as a file that the user may edit.

Edited, it stays as it is; untouched, it follows the example.
"""

import copy
import hashlib
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

HEADER = "# examples/digits/pipeline.yaml with the addresses of your cluster. Edit it and apply it again.\n"


@dataclass(frozen=True)
class Places:
    """What differs from cluster to cluster."""

    registry: str
    git_url: str
    # Images by digest, under the name that the example has for them: a tag that moved is not pulled again by a node
    # that has it, and a changed trainer should train.
    pinned: Mapping[str, str]


def filled(example: dict[str, Any], places: Places, namespace: str) -> dict[str, Any]:
    """Put the addresses in."""
    pipeline = copy.deepcopy(example)
    pipeline["metadata"]["namespace"] = namespace
    spec = pipeline["spec"]
    spec["train"]["image"] = _moved(spec["train"]["image"], places)
    for build in spec["build"]:
        build["image"] = _moved(build["image"], places)
        build["builderImage"] = _moved(build["builderImage"], places)
        build["source"]["git"]["url"] = places.git_url
    return pipeline


def ensure(example: pathlib.Path, file: pathlib.Path, places: Places, namespace: str) -> bool:
    """Write the file unless the user edited it; True when it holds edits that were kept."""
    text = HEADER + yaml.safe_dump(
        filled(yaml.safe_load(example.read_text()), places, namespace), sort_keys=False, default_flow_style=False
    )
    stamp = file.with_suffix(".sha256")
    if _edited(file, stamp):
        if places.registry in file.read_text():
            return True
        # Edits for a cluster that is no more (its address changed): kept, but no use here.
        file.replace(file.with_suffix(".old.yaml"))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    stamp.write_text(_hash(text))
    return False


def _edited(file: pathlib.Path, stamp: pathlib.Path) -> bool:
    return file.is_file() and stamp.is_file() and _hash(file.read_text()) != stamp.read_text()


def _moved(image: str, places: Places) -> str:
    name = image.partition("/")[2]
    return places.pinned.get(name) or f"{places.registry}/{name}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
