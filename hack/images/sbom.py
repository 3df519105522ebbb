"""The bill of materials of an image: CycloneDX, made of what the image itself records, the same for the same image.

Elsewhere: how the records are read (contents.py).
"""

from __future__ import annotations

import datetime
import uuid

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from hack.images.contents import Image, Package

_LABEL = "org.opencontainers.image."


def render(image: Image) -> str:
    """Return the document."""
    digest = image.manifest["config"]["digest"]
    title, version = image.labels.get(f"{_LABEL}title", image.reference), image.labels.get(f"{_LABEL}version", "")
    itself = Component(
        name=title,
        version=version,
        type=ComponentType.CONTAINER,
        bom_ref=digest,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest.removeprefix("sha256:"))],
    )
    # A random number and the time of day would make two documents of one image differ.
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_URL, digest), components=map(_component, image.packages()))
    bom.metadata.component = itself
    bom.metadata.timestamp = datetime.datetime.fromisoformat(image.config["created"])
    bom.register_dependency(itself, bom.components)
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def url(package: Package) -> PackageURL:
    """Return the name under which scanners and lists of flaws know a package."""
    namespace, _, name = package.name.rpartition("/") if package.kind == "golang" else ("", "", package.name)
    qualifiers = {}
    if package.kind == "deb":
        namespace, qualifiers = "debian", {"arch": package.architecture}
    return PackageURL(package.kind, namespace or None, name, package.version, qualifiers)


def _component(package: Package) -> Component:
    hashes = [HashType(alg=HashAlgorithm.SHA_256, content=package.sha256)] if package.sha256 else []
    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType.LIBRARY,
        purl=url(package),
        bom_ref=str(url(package)),
        hashes=hashes,
    )
