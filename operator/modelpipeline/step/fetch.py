"""The first container: source and builder's contract; all that can be known before a user's code runs.

Here: the order of things and what assemble is told. It stops before anything is assembled when builder, environment or
source lack something. Elsewhere: each single thing (git.py, source.py, registry.py, contract.py, contentkey.py).
"""

from __future__ import annotations

import platform
import shlex
import shutil
from pathlib import Path

from modelpipeline import errors
from modelpipeline.step import (
    contentkey,
    contract,
    credentials,
    git,
    order,
    places,
    process,
    reasons,
    registry,
    report,
    source,
)
from modelpipeline.step import verdict as verdicts

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def run(asked: order.Order, where: places.Places) -> None:
    """Fetch one build's source, judge its builder, and leave tools and verdict."""
    ca = credentials.ca_bundle(where.ca, asked.ca_config_map, where.private)
    client = connect(asked, where, ca)
    builder_digest = client.digest(asked.builder)
    if not builder_digest:
        raise errors.Stalled(
            reasons.BUILDER_NOT_FOUND, f"there is no image {asked.builder}: check builderImage of this build"
        )
    image_digest, config = client.read(asked.builder, builder_digest)
    builder = contract.read(asked.builder, config)
    contract.check_assemble_user(asked.builder, builder, asked.assemble_user)
    commit = _get_source(asked, where, ca)
    own = contract.parse_environment(source.read(where.source, ".s2i/environment") or b"")
    env = contract.merge_environment(builder, own, asked.env)
    key = contentkey.of_build(
        platform=client.platform,
        builder=image_digest,
        source=contentkey.of_tree(where.source),
        env=env,
        assemble_user=asked.assemble_user,
    )
    cached = "" if asked.skip_lookup else client.pushed(asked.image, contentkey.tag(key))
    _give_tools(where, builder, env, bool(cached))
    found = verdicts.Verdict(
        content_key=key,
        builder_digest=builder_digest,
        builder_image_digest=image_digest,
        scripts=builder.scripts,
        run=_own_run(where, builder),
        env=env,
        labels=_labels(asked, commit, builder_digest),
        commit=commit,
        cached=cached,
    )
    verdicts.write(where.verdict, found)
    report.say(f"builder {asked.builder} is {builder_digest}; content key {key[:12]}" + (", cached" if cached else ""))


def connect(asked: order.Order, where: places.Places, ca: Path | None) -> registry.Client:
    """Make a registry client with the push secret."""
    docker_config = credentials.registry_config(
        where.registry_secret, asked.push_secret, registry.host(asked.image), where.private
    )
    machine = platform.machine()
    return registry.Client(
        docker_config=docker_config,
        registries=asked.registries,
        ca=ca,
        platform=f"linux/{_ARCHITECTURES.get(machine, machine)}",
        secret=asked.push_secret,
        answer_within=asked.answer_within,
        hide=credentials.values(where.registry_secret),
    )


def _get_source(asked: order.Order, where: places.Places, ca: Path | None) -> str:
    """Fill the source folder; return the commit, "" when the source is no repository."""
    if asked.git is None:
        if asked.path:
            raise errors.Stalled(
                reasons.PATH_NOT_FOUND, "a ConfigMap has no directories: remove source.path from this build"
            )
        if not where.config_map.is_dir() or not any(where.config_map.iterdir()):
            raise errors.Stalled(
                reasons.SOURCE_INVALID,
                f"ConfigMap {asked.config_map} (source.configMap.name) does not exist or is empty: "
                f"kubectl create configmap {asked.config_map} --from-file=DIRECTORY",
            )
        source.copy_config_map(where.config_map, where.source, asked.limit)
        return ""
    source.check_path(asked.path)
    clone = where.work / "clone"
    origin = git.check_url(asked.git.url)
    access = git.Access(
        private=where.private,
        store=credentials.git_store(where.git_secret, asked.git_secret, origin, where.private) if origin else None,
        ssh=None if origin else credentials.ssh_config(where.git_secret, asked.git_secret, where.private),
        ca=ca,
        seconds=asked.transfer_within,
        silence=min(30, asked.answer_within),
        limit=asked.limit,
        hide=credentials.values(where.git_secret),
    )
    commit = git.clone(asked.git.url, asked.git.commit or asked.git.ref, clone, access)
    report.say(f"source {asked.git.url} is at commit {commit}")
    source.copy(clone, asked.path, where.source, asked.limit)
    # Not by shutil: what was not copied may be nested more deeply than Python calls functions.
    process.run(["rm", "-rf", "--", str(clone)], env={})
    return commit


def _give_tools(where: places.Places, builder: contract.Contract, env: dict[str, str], cached: bool) -> None:
    if cached:
        (where.tools / "cached").touch()
    shutil.copy(where.kit / "busybox", where.tools / "busybox")
    (where.tools / "busybox").chmod(0o755)
    shutil.copy(Path(__file__).with_name("assemble.sh"), where.tools / "assemble.sh")
    words = " ".join(shlex.quote(f"{name}={value}") for name, value in sorted(env.items()))
    lines = (
        f"order_scripts={shlex.quote(' '.join(builder.scripts))}",
        f"order_destination={shlex.quote(builder.destination)}",
        f"set -- {words}",
    )
    text = "\n".join(lines) + "\n"
    (where.tools / "order.sh").write_bytes(text.encode("utf-8", errors="surrogateescape"))


def _own_run(where: places.Places, builder: contract.Contract) -> str:
    """Return where the source's own run script will be in the image, "" when it has none."""
    has_own = source.read(where.source, ".s2i/bin/run") is not None
    return f"{builder.destination}/scripts/run" if has_own else ""


def _labels(asked: order.Order, commit: str, builder_digest: str) -> dict[str, str]:
    """Return the labels that s2i gives an image, and the builder's digest; an empty value is none."""
    labels = {
        "io.openshift.s2i.build.image": asked.builder,
        "io.openshift.s2i.build.source-location": asked.git.url if asked.git else f"configmap:{asked.config_map}",
        "io.openshift.s2i.build.commit.id": commit,
        "io.openshift.s2i.build.commit.ref": asked.git.ref if asked.git else "",
        "io.openshift.s2i.build.source-context-dir": asked.path,
        "org.opencontainers.image.base.digest": builder_digest,
    }
    return {name: value for name, value in labels.items() if value}
