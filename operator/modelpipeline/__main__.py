"""The command line: python -m modelpipeline {run,crd}.

Here: flags, signals, exit codes (0 as asked, 1 an error of ours, 2 something to correct). Elsewhere: everything else.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence

import modelpipeline
from modelpipeline import errors, settings
from modelpipeline.edge import operate
from modelpipeline.kube import client
from modelpipeline.runtime import logs, worker
from modelpipeline.schema import crd
from modelpipeline.stages import plan

_log = logs.logger("main")


def main(
    argv: Sequence[str] | None = None,
    *,
    planner: worker.Planner = plan.plan,
    wrap: Callable[[client.Api], client.Api] = operate.unwrapped,
) -> int:
    """Run one command; tests hand in another planner, or an Api that breaks at a chosen write."""
    arguments = _parser().parse_args(argv)
    if arguments.command == "crd":
        sys.stdout.write(crd.render())
        return 0
    try:
        chosen = settings.parse(arguments, os.environ)
        logs.configure(chosen.log_level, chosen.log_format)
        asyncio.run(_run(chosen, planner, wrap))
    except errors.Stalled as error:
        sys.stderr.write(f"error: {error.message}\n")
        return 2
    return 0


async def _run(chosen: settings.Settings, planner: worker.Planner, wrap: Callable[[client.Api], client.Api]) -> None:
    options = operate.Options(
        kubeconfig=chosen.kubeconfig,
        context=chosen.context,
        namespaces=chosen.namespaces,
        workers=chosen.workers,
        resync_seconds=chosen.resync_seconds,
        health_address=chosen.health_address,
        health_port=chosen.health_port,
    )
    operator = operate.Operator(planner, chosen.policy(), options, wrap=wrap)
    loop = asyncio.get_running_loop()
    for ending in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(ending, operator.stop)
    _log.info("starting", version=modelpipeline.__version__, settings=chosen.redacted())
    await operator.run()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="modelpipeline",
        description="ModelPipeline: one kubectl apply trains a model, builds its image in the cluster and deploys it.",
    )
    parser.add_argument("--version", action="version", version=modelpipeline.__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser(
        "run",
        help="run the operator",
        description="Run the operator until SIGTERM or SIGINT. Every flag has a variable; the flag wins.",
        epilog="example: modelpipeline run --kubeconfig ~/.kube/config --namespaces models",
    )
    settings.add_flags(run)
    commands.add_parser(
        "crd",
        help="print the CustomResourceDefinition",
        description="Print the CustomResourceDefinition, for: modelpipeline crd | kubectl apply --server-side -f -",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
