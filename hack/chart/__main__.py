"""The command line: python -m hack.chart {scan,render} [VALUES...] judges or prints what the chart makes of values."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hack.chart import judges, render
from hack.cluster import say
from hack.cluster.trouble import Trouble


def main() -> int:
    """Run it; 1 when the scanner finds something, 2 when something else is wrong."""
    parser = argparse.ArgumentParser(prog="python -m hack.chart", description=__doc__)
    parser.add_argument("command", choices=["scan", "render"])
    parser.add_argument("values", nargs="*", type=Path, help="files of values")
    arguments = parser.parse_args()
    try:
        text = render.text(values=arguments.values)
        if arguments.command == "render":
            say.result(text)
            return 0
        failed, passed = judges.checkov(text)
    except Trouble as trouble:
        say.note(f"error: {trouble}")
        return 2
    for finding in failed:
        say.result(f"{finding.check}\t{finding.resource}\t{finding.about}")
    say.note(f"{passed} passed, {len(failed)} failed; what is argued: tests/chart/argued.txt")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
