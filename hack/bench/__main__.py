"""The command line: python -m hack.bench {images,startup,pass}."""

from __future__ import annotations

import argparse
import sys

from hack.bench import passes, sizes, startup
from hack.bench.table import Table
from hack.cluster import cluster, say
from hack.cluster.trouble import Trouble


def main() -> int:
    """Measure one thing; what is wrong with the machine is one line and exit code 2."""
    given = _parser().parse_args()
    try:
        table = _measured(given)
    except Trouble as trouble:
        say.note(f"error: {trouble}")
        return 2
    say.result(table.json() if given.json else table.markdown())
    return 0


def _measured(given: argparse.Namespace) -> Table:
    if given.what == "pass":
        return passes.measure(given.pipelines)
    up = cluster.up(tier="node", name=given.name)
    return sizes.measure(up) if given.what == "images" else startup.measure(up, given.rounds)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m hack.bench", description="Measure what things cost; docs/benchmarks.md tells how to read it."
    )
    kinds = parser.add_subparsers(dest="what", required=True)
    images = kinds.add_parser("images", help="sizes of both images: layers, files, packages")
    start = kinds.add_parser("startup", help="the operator's start in its image, against a bare Python's in the same")
    one = kinds.add_parser("pass", help="a look at a pipeline and its memory, in the simulated world of the tests")
    for kind in (images, start):
        kind.add_argument("--name", default="bench", help="name of the cluster, started if need be (%(default)s)")
    start.add_argument("--rounds", type=int, default=5, help="how often each is started, in turn (%(default)s)")
    one.add_argument("--pipelines", type=int, default=50, help="how many pipelines are played (%(default)s)")
    for kind in (images, start, one):
        kind.add_argument("--json", action="store_true", help="JSON instead of a Markdown table")
    return parser


if __name__ == "__main__":
    sys.exit(main())
