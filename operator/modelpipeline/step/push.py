"""The last container: builder plus one layer becomes the image; tags come when everything is there.

Here: the order of things. Elsewhere: what a layer may hold (layer.py), how crane pushes (registry.py).
"""

from __future__ import annotations

from typing import Any

from modelpipeline import errors
from modelpipeline.step import contentkey, credentials, fetch, layer, order, places, reasons, registry, report
from modelpipeline.step import verdict as verdicts


def run(asked: order.Order, where: places.Places) -> dict[str, Any]:
    """Push one build's image and return the result."""
    found = verdicts.read(where.verdict)
    client = fetch.connect(asked, where, credentials.ca_bundle(where.ca, asked.ca_config_map, where.private))
    digest = found.cached or _push(asked, where, found, client)
    for tag in asked.tags:
        client.tag(asked.image, digest, tag)
    if not found.cached:
        # Last: whoever finds the content key's tag finds an image that is complete.
        client.tag(asked.image, digest, contentkey.tag(found.content_key))
    return {
        "digest": digest,
        "image": f"{asked.image}@{digest}",
        "commit": found.commit,
        "builderDigest": found.builder_digest,
        "builderImageDigest": found.builder_image_digest,
        "contentKey": found.content_key,
        "cached": bool(found.cached),
    }


def _push(asked: order.Order, where: places.Places, found: verdicts.Verdict, client: registry.Client) -> str:
    # The kubelet pulled the builder after fetch had looked: if the tag stands for something else by now, the layer may
    # not fit. (What really ran is compared by the operator, who sees the container's imageID.)
    if client.digest(asked.builder) != found.builder_digest:
        raise errors.Retryable(
            reasons.BUILDER_MOVED, f"{asked.builder} was moved while the build ran; the next attempt starts over"
        )
    scripts = layer.chosen_scripts(where.layer, found.scripts)
    target = where.work / "layer.tar.gz"
    written = layer.rewrite(where.layer, target, asked.limit)
    report.say(f"layer of {written.entries} entries and {written.deleted} deletions, {target.stat().st_size} bytes")
    changes = registry.Changes(env=found.env, labels=found.labels, cmd=found.run or f"{scripts}/run")
    base = f"{registry.repository(asked.builder)}@{found.builder_image_digest}"
    digest = client.push(base, asked.image, target, changes, where.work)
    target.unlink()
    report.say(f"pushed {asked.image}@{digest}")
    return digest
