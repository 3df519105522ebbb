"""Base images and builds for a cluster's registry.

    from hack.cluster import cluster
    from hack.images import images

    c = cluster.up(tier="node", name="demo")
    images.base_python(c)                    # "<registry>/modelpipeline/base-python:1"
    images.build(
        c, name="digits-train", tag="1",     # -> "<registry>/digits-train:1"
        context=Path("examples/digits/train"),
        base="modelpipeline/base-python:1",  # build argument BASE; any image that is in the registry already
        build_args={"EXTRA": "1"},           # more build arguments
        include=("src", "requirements.txt"), # only these of the context; without it all of it
        extra={"crane": c.binary("crane")},  # files from elsewhere, under the name that COPY uses
        target="build",                      # a stage of the Dockerfile; without it the last one
        runtime_base="modelpipeline/...:1",  # build argument RUNTIME, likewise
        timeless=True,                       # all times 1970: the same input, the same digest
    )
    images.build_image(c)                    # fetch and push of build pods: "<registry>/modelpipeline/build:dev"
    images.operator_image(c)                 # the operator: "<registry>/modelpipeline/operator:dev"

Built images are kept in the cache by what they were built from, so a second build takes no time and a new registry
is filled from the cache. How a build reaches the network is in `reach`, the recipes of the bases in `base` and
`runtime`, what a target needs of its Dockerfile in `stages`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from hack.cluster import cluster, direct, locks, packages, places, say
from hack.cluster.trouble import Trouble
from hack.images import base as base_image
from hack.images import buildah, docker, reach, runtime, stages, staging

BASE_PYTHON = base_image.NAME
RUNTIME_PYTHON = runtime.NAME

_ROOT = Path(__file__).resolve().parents[2]

# Part of every key: raise it when the way of building changes what comes out.
_RECIPE = "1"


def base_python(into: cluster.Cluster) -> str:
    """Make sure that the base image with Python is in the cluster's registry and return its name there."""
    if into.tier == "kind":
        docker.copy(BASE_PYTHON, f"{into.registry}/{BASE_PYTHON}", into.binary("crane"))
        return f"{into.registry}/{BASE_PYTHON}"
    key = staging.key(_RECIPE, base_image.recipe())
    return _provide(into, BASE_PYTHON, key, base_image.build)


def runtime_python(into: cluster.Cluster) -> str:
    """Make sure that the image with Python and no shell is in the cluster's registry and return its name there."""
    if into.tier == "kind":
        docker.copy(RUNTIME_PYTHON, f"{into.registry}/{RUNTIME_PYTHON}", into.binary("crane"))
        return f"{into.registry}/{RUNTIME_PYTHON}"
    return _provide(into, RUNTIME_PYTHON, staging.key(_RECIPE, runtime.recipe()), runtime.build)


def build(  # noqa: PLR0913 - the parts of a build, all but the first by name
    into: cluster.Cluster,
    *,
    name: str,
    tag: str,
    context: Path,
    dockerfile: Path | None = None,
    base: str = BASE_PYTHON,
    build_args: Mapping[str, str] | None = None,
    include: tuple[str, ...] = (),
    extra: Mapping[str, Path] | None = None,
    target: str = "",
    runtime_base: str = "",
    timeless: bool = False,
) -> str:
    """Make sure that the image built from this context is in the cluster's registry and return its name there."""
    bases = {"BASE": base, **({"RUNTIME": runtime_base} if runtime_base else {})}
    arguments = {**(build_args or {}), **{argument: f"{into.registry}/{image}" for argument, image in bases.items()}}
    with tempfile.TemporaryDirectory(prefix="modelpipeline-") as folder:
        staged, recipe = Path(folder) / "context", Path(folder) / "Dockerfile"
        recipe.write_text(stages.needed((dockerfile or context / "Dockerfile").read_text(), target))
        staging.stage(staged, context, include, extra or {})
        if into.tier == "kind":
            arguments |= {argument: docker.HUB[image] for argument, image in bases.items() if image in docker.HUB}
            reference = f"{into.registry}/{name}:{tag}"
            docker.build(reference, staged, recipe, arguments, into.binary("crane"), target)
            return reference
        for image, provide in ((BASE_PYTHON, base_python), (RUNTIME_PYTHON, runtime_python)):
            if image in bases.values():
                provide(into)
        # The registry's address differs from cluster to cluster; what counts of a base is its digest.
        digests = [_crane(into, "digest", f"{into.registry}/{image}") for image in bases.values()]
        about = json.dumps(build_args, sort_keys=True)
        options = ["--timestamp=0"] * timeless
        key = staging.key(_RECIPE, recipe.read_text(), target, *digests, about, staged, *options)
        options += [f"--target={target}"] * bool(target)
        return _provide(into, f"{name}:{tag}", key, lambda layout: _build(staged, recipe, arguments, layout, options))


def build_image(into: cluster.Cluster) -> str:
    """Make sure that the image of fetch and push is in the cluster's registry and return its name there."""
    return build(
        into,
        name="modelpipeline/build",
        tag="dev",
        context=_ROOT,
        include=(
            "operator/modelpipeline/__init__.py",
            "operator/modelpipeline/errors.py",
            "operator/modelpipeline/step",
        ),
        extra={"crane": into.binary("crane")},
        target="build",
        timeless=True,
    )


def operator_image(into: cluster.Cluster) -> str:
    """Make sure that the operator's image is in the cluster's registry and return its name there."""
    return build(
        into,
        name="modelpipeline/operator",
        tag="dev",
        context=_ROOT,
        include=("hack/images/inside", "operator/modelpipeline", "requirements/operator.txt"),
        target="operator",
        runtime_base=RUNTIME_PYTHON,
        timeless=True,
    )


def _provide(into: cluster.Cluster, name: str, key: str, make: Callable[[Path], None]) -> str:
    """Take the image from the cache, or make it, and put it into the registry unless it is there."""
    if not into.registry:
        raise Trouble(f"cluster {into.name} has no registry", "use the node tier: up --tier node")
    layout = places.cache() / "images" / key
    with locks.held(layout.with_suffix(".lock")):
        if not layout.exists():
            packages.ensure(packages.IMAGES, "building images")
            unfinished = layout.with_suffix(".new")
            shutil.rmtree(unfinished, ignore_errors=True)
            with say.step(f"image {name}"):
                make(unfinished)
            unfinished.rename(layout)
    reference = f"{into.registry}/{name}"
    wanted = json.loads((layout / "index.json").read_text())["manifests"][0]["digest"]
    if _crane(into, "digest", reference, required=False) != wanted:
        _crane(into, "push", str(layout), reference)
    return reference


def _build(staged: Path, recipe: Path, arguments: Mapping[str, str], layout: Path, options: list[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="modelpipeline-") as folder:
        command = ["bud", "--quiet", "--layers", "--isolation=chroot", "--tls-verify=false", f"--file={recipe}"]
        command += [f"--volume={mount}:ro" for mount in reach.mounts(Path(folder))]
        command += [f"--build-arg={name}={value}" for name, value in arguments.items()]
        command += options
        near = arguments["BASE"].partition(":")[0]
        image = buildah.run(*command, str(staged), near=near)
    buildah.keep(image, layout)


def _crane(into: cluster.Cluster, command: str, *arguments: str, required: bool = True) -> str:
    done = subprocess.run(
        [str(into.binary("crane")), command, "--insecure", *arguments],
        env=direct.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0 and required:
        raise Trouble(
            f"crane {command} {arguments[-1]}: {done.stderr.strip()}", "see the registry's log: logs registry"
        )
    return done.stdout.strip()
