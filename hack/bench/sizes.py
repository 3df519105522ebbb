"""How large the images are: what is pulled, what it becomes on the node, what is in it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hack.bench.table import Table
from hack.cluster import cluster
from hack.images import contents, images

_COLUMNS = (
    "image",
    "layers",
    "bytes pulled",
    "bytes unpacked",
    "files",
    "Debian packages",
    "Python packages",
    "programs",
)


def measure(up: cluster.Cluster) -> Table:
    """Measure both."""
    named = {"operator": images.operator_image(up), "build": images.build_image(up)}
    return Table(_COLUMNS, tuple(_row(name, reference) for name, reference in named.items()))


def _row(name: str, reference: str) -> tuple[str | int, ...]:
    with tempfile.TemporaryDirectory(prefix="modelpipeline-") as folder:
        image = contents.Image.pull(reference, Path(folder))
        files = [entry for entry in image.entries() if not entry.isdir()]
        kinds = [package.kind for package in image.packages()]
    layers = image.manifest["layers"]
    programs = sum(Path(entry.name).parent.name in ("bin", "sbin") for entry in files)
    pulled, unpacked = sum(layer["size"] for layer in layers), sum(entry.size for entry in files)
    return (name, len(layers), pulled, unpacked, len(files), kinds.count("deb"), kinds.count("pypi"), programs)
