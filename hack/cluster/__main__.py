"""The command line: python -m hack.cluster {up,down,status,env,logs}."""

from __future__ import annotations

import argparse
import shlex
import sys
import time

from hack.cluster import binaries, cluster, direct, places, processes, say, trouble
from hack.cluster.trouble import Trouble


def main() -> int:
    """Run one command; what is wrong with the machine is one line and exit code 2."""
    arguments = _parser().parse_args()
    commands = {"up": _up, "down": _down, "status": _status, "env": _env, "logs": _logs}
    try:
        return commands[arguments.command](arguments)
    except Trouble as error:
        say.note(f"error: {error}")
        return 2
    except KeyboardInterrupt:
        say.note("interrupted; what was started is ended, the next up begins anew")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hack.cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in {
        "up": "start the cluster, or do nothing where it runs",
        "down": "end it and leave nothing behind",
        "status": "say what runs; --all for every cluster",
        "env": "print what a shell needs: eval $(python -m hack.cluster env)",
        "logs": "print the end of a log",
    }.items():
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--name", default="default", help="name of the cluster (%(default)s)")
        if name == "up":
            command.add_argument("--tier", choices=cluster.TIERS, default="node", help="%(default)s")
        if name == "status":
            command.add_argument("--all", action="store_true", help="every cluster of this user")
        if name == "logs":
            command.add_argument("process", nargs="?", help="e.g. kube-apiserver; without it the names are listed")
    return parser


def _up(arguments: argparse.Namespace) -> int:
    began = time.monotonic()
    made = cluster.up(tier=arguments.tier, name=arguments.name)
    say.note(f"cluster {made.name} ({made.tier}) is up after {time.monotonic() - began:.1f} s: {made.server}")
    say.note(f"next: eval $({_again('env', made.name)})")
    return 0


def _down(arguments: argparse.Namespace) -> int:
    existed = cluster.down(arguments.name)
    say.note(f"cluster {arguments.name} is gone" if existed else f"there was no cluster {arguments.name}")
    return 0


def _status(arguments: argparse.Namespace) -> int:
    """Say what runs; exit code 1 when something of it does not."""
    names = cluster.names() if arguments.all else [arguments.name]
    return max([_status_of(_existing(name)) for name in names], default=0)


def _status_of(found: cluster.Cluster) -> int:
    states = [(process, processes.alive(process)) for process in processes.recorded(found.state)]
    say.result(f"{found.name} tier={found.tier} server={found.server} registry={found.registry or '-'}")
    for process, runs in states:
        say.result(f"  {process.name:<24} {'runs' if runs else 'ENDED'} pid {process.pid}")
    return 0 if all(runs for _, runs in states) else 1


def _env(arguments: argparse.Namespace) -> int:
    found = _existing(arguments.name)
    values = {"KUBECONFIG": str(found.kubeconfig)}
    if found.registry:
        values["REGISTRY"] = found.registry
    for name, value in values.items():
        say.result(f"export {name}={shlex.quote(value)}")
    # kubectl is there since the cluster is; helm, and crane, once something needed them.
    folders = dict.fromkeys(str(path.parent) for path in map(binaries.ready, ("kubectl", "helm", "crane")) if path)
    say.result(f'export PATH={shlex.quote(":".join(folders))}:"$PATH"')
    if direct.behind_proxy():
        # A proxy of the user's shell leads nowhere near a cluster on this machine.
        say.result(f'export NO_PROXY={found.server.split("/")[2].partition(":")[0]}"${{NO_PROXY:+,$NO_PROXY}}"')
    return 0


def _logs(arguments: argparse.Namespace) -> int:
    folder = places.state(arguments.name) / "logs"
    if not arguments.process:
        for path in sorted(folder.glob("*.log")):
            say.result(path.stem)
        return 0
    path = folder / f"{arguments.process}.log"
    if not path.exists():
        raise Trouble(f"there is no {path}", f"list the logs: {_again('logs', arguments.name)}")
    for line in path.read_text(errors="replace").splitlines()[-200:]:
        say.result(line)
    return 0


def _existing(name: str) -> cluster.Cluster:
    found = cluster.find(name)
    if not found:
        raise Trouble(f"there is no cluster {name}", f"start it: {_again('up', name)}")
    return found


def _again(word: str, name: str) -> str:
    return trouble.command(word, *([] if name == "default" else ["--name", name]))


if __name__ == "__main__":
    sys.exit(main())
