"""Both images as they lie in the registry of the node tier, fetched once."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hack.cluster import cluster
from hack.images import contents, images


@pytest.fixture(scope="session")
def operator_image(node_cluster: cluster.Cluster) -> Iterator[contents.Image]:
    """Give the operator's image."""
    with tempfile.TemporaryDirectory(prefix="modelpipeline-") as folder:
        yield contents.Image.pull(images.operator_image(node_cluster), Path(folder))


@pytest.fixture(scope="session")
def build_image(node_cluster: cluster.Cluster) -> Iterator[contents.Image]:
    """Give the image of build pods."""
    with tempfile.TemporaryDirectory(prefix="modelpipeline-") as folder:
        yield contents.Image.pull(images.build_image(node_cluster), Path(folder))


@pytest.fixture(params=["operator", "build"])
def each_image(
    request: pytest.FixtureRequest, operator_image: contents.Image, build_image: contents.Image
) -> contents.Image:
    """Give one after the other."""
    return {"operator": operator_image, "build": build_image}[request.param]


@pytest.fixture(scope="session")
def root(operator_image: contents.Image) -> Iterator[Path]:
    """Give the operator's image unpacked: a folder in which its own Python runs by chroot."""
    with tempfile.TemporaryDirectory(prefix="modelpipeline-") as folder:
        operator_image.unpack(Path(folder))
        # The folder above belongs to root alone; the image's user must get through it.
        Path(folder).chmod(0o755)
        yield Path(folder)
