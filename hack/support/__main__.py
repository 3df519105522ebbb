"""The command line: python -m hack.support."""

from __future__ import annotations

import argparse
import datetime
import sys
from pathlib import Path

import modelpipeline
from hack.cluster import say
from hack.cluster.trouble import Trouble
from hack.support import archive, collect, reader

_EPILOG = """
What could not be read is listed in the README of the bundle; nothing but GET is ever sent, and no Secret is asked for.

examples:
  python -m hack.support
  python -m hack.support --namespace models --pipeline digits --output digits.tar.gz
"""


def main(arguments: list[str] | None = None) -> int:
    """Make a bundle; 0 when it was made, whatever is missing in it, 2 when there is no way to the cluster."""
    given = _parser().parse_args(arguments)
    try:
        return _make(given)
    except Trouble as trouble:
        say.note(f"error: {trouble}")
        return 2


def _make(given: argparse.Namespace) -> int:
    now = datetime.datetime.now(datetime.UTC)
    folder = f"modelpipeline-support-{now:%Y%m%d-%H%M%S}"
    path: Path = given.output or Path(f"{folder}.tar.gz")
    if not path.parent.is_dir():
        raise Trouble(f"there is no folder {path.parent}", f"make it: mkdir -p {path.parent}")
    reading = reader.connect(given.kubeconfig, given.context, given.timeout)
    wanted = collect.Wanted(given.namespace, given.pipeline, given.operator_namespace, given.metrics_url)
    into = archive.Archive(folder)
    summary = collect.collect(reading, wanted, into)
    if not reading.answered:
        raise Trouble(
            f"the API server does not answer ({reading.unread[0].why})", "try: kubectl version, with the same context"
        )
    asked = f" for {given.namespace or 'all namespaces'}{f', pipeline {given.pipeline}' if given.pipeline else ''}"
    into.write(path, asked, modelpipeline.__version__, summary, reading.unread)
    missing = len(reading.unread) + len(into.left_out)
    say.note(f"{len(into.files)} files, {path.stat().st_size / 1024:.0f} KiB: its README says what is in them")
    if missing:
        say.note(f"{missing} things could not be read; the README says which")
    say.result(str(path))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m hack.support",
        description="Collect what helps to see what is wrong with the operator or a pipeline, without any secret.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--namespace", "-n", default="", metavar="NS", help="pipelines of this namespace; default: all")
    parser.add_argument("--pipeline", default="", metavar="NAME", help="this pipeline only")
    parser.add_argument("--output", "-o", type=Path, metavar="FILE.tar.gz", help="default: a name with the time, here")
    parser.add_argument("--kubeconfig", metavar="FILE", help="default: $KUBECONFIG, else ~/.kube/config")
    parser.add_argument("--context", metavar="NAME", help="default: the kubeconfig's current one")
    parser.add_argument(
        "--operator-namespace", default=collect.SYSTEM, metavar="NS", help="where the operator is (%(default)s)"
    )
    parser.add_argument(
        "--metrics-url", default="", metavar="URL", help="/metrics of an operator that runs outside the cluster"
    )
    parser.add_argument(
        "--timeout", type=float, default=120.0, metavar="SECONDS", help="stop reading after this (%(default)s)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
