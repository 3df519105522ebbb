"""The command line: python -m hack.demo {up,ask,down}."""

import argparse
import sys

from hack.cluster import cluster as clusters
from hack.cluster import locks
from hack.cluster.trouble import Trouble
from hack.demo import faults, groundwork, screen, story


def main() -> int:
    """Run one command; what is wrong is one line with its cure."""
    given = _parser().parse_args()
    show = screen.Screen()
    options = groundwork.Options(given.name, getattr(given, "tier", "node"))
    try:
        if given.command == "down":
            return story.down(options, show)
        if given.command == "ask":
            return story.question(options, story.Choice(given.digit), show)
        with locks.held(groundwork.state_of(given.name).with_suffix(".lock")):
            return story.up(options, story.Choice(given.digit, given.timeout), show)
    except (faults.DemoError, Trouble) as error:
        show.failure(str(error))
        return 1
    except KeyboardInterrupt:
        show.say("\ninterrupted; the cluster runs on: make demo goes on where it was, make demo-down ends it")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m hack.demo", description="From kubectl apply to a prediction, on a cluster of its own."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("up", "set up what is missing, apply the example, watch it, ask the served model"),
        ("ask", "ask the served model about another digit that training never saw"),
        ("down", "end everything that up started, and remove it"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--name", default="demo", help="name of the cluster (%(default)s)")
        if name == "up":
            command.add_argument(
                "--tier", choices=clusters.TIERS[1:], default="node", help="kind of cluster (%(default)s)"
            )
            command.add_argument(
                "--timeout", type=float, default=900.0, help="seconds from apply to Ready (%(default)s)"
            )
        if name != "down":
            which = "which digit to ask about, 0 to 96 (%(default)s)"
            command.add_argument("--digit", type=int, default=story.DIGIT, metavar="N", help=which)
    return parser


if __name__ == "__main__":
    sys.exit(main())
