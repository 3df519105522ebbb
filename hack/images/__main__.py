"""The command line: python -m hack.images puts the base image into a cluster's registry."""

from __future__ import annotations

import argparse
import sys

from hack.cluster import cluster, say
from hack.cluster.trouble import Trouble
from hack.images import images


def main() -> int:
    """Run it; what is wrong with the machine is one line and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m hack.images", description=__doc__)
    parser.add_argument("--name", default="default", help="name of the cluster (%(default)s)")
    arguments = parser.parse_args()
    try:
        say.result(images.base_python(cluster.up(tier="node", name=arguments.name)))
    except Trouble as trouble:
        say.note(f"error: {trouble}")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
