"""The command line: python -m hack.images {push,sbom}."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from hack.cluster import cluster, say
from hack.cluster.trouble import Trouble
from hack.images import contents, images, sbom


def main() -> int:
    """Run it; what is wrong with the machine is one line and exit code 2."""
    arguments = _parser().parse_args()
    try:
        return _sbom(arguments) if arguments.command == "sbom" else _push(arguments)
    except Trouble as trouble:
        say.note(f"error: {trouble}")
        return 2


def _push(arguments: argparse.Namespace) -> int:
    into = cluster.up(tier="node", name=arguments.name)
    for provide in (images.base_python, images.runtime_python, images.operator_image, images.build_image):
        say.result(provide(into))
    return 0


def _sbom(arguments: argparse.Namespace) -> int:
    if arguments.image:
        return _write(dict(arguments.image), arguments.output, contents.Way())
    up = cluster.up(tier="node", name=arguments.name)
    named = {"operator": images.operator_image(up), "build": images.build_image(up)}
    return _write(named, arguments.output, contents.NEAR)


def _write(named: dict[str, str], output: Path, way: contents.Way) -> int:
    output.mkdir(parents=True, exist_ok=True)
    for name, reference in named.items():
        with tempfile.TemporaryDirectory(prefix="modelpipeline-") as folder:
            image = contents.Image.pull(reference, Path(folder), way)
            target = output / f"{name}.cdx.json"
            target.write_text(sbom.render(image))
            say.result(str(target))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m hack.images", description="Images for the clusters of hack.cluster."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    push = commands.add_parser("push", help="put our images and their bases into a cluster's registry")
    bill = commands.add_parser(
        "sbom",
        help="write what our images hold, as CycloneDX JSON",
        description="Write NAME.cdx.json for the operator's and the build image of a cluster, or for any others.",
        epilog="example: python -m hack.images sbom --image operator=registry.example/modelpipeline/operator:0.1.0",
    )
    for command in (push, bill):
        command.add_argument("--name", default="default", help="name of the cluster, started if need be (%(default)s)")
    bill.add_argument("--output", type=Path, default=Path("build/sbom"), help="folder to write to (%(default)s)")
    bill.add_argument(
        "--image",
        action="append",
        default=[],
        type=_pair,
        metavar="NAME=REFERENCE",
        help="instead of a cluster's; repeatable",
    )
    return parser


def _pair(given: str) -> tuple[str, str]:
    name, _, reference = given.partition("=")
    if not name or not reference:
        raise argparse.ArgumentTypeError(f"{given!r} is not NAME=REFERENCE")
    return name, reference


if __name__ == "__main__":
    sys.exit(main())
