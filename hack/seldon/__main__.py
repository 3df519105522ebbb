"""The command line of the stand-in: `python -m hack.seldon --kubeconfig FILE`."""

import argparse
import asyncio
import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path

from hack.seldon import desired, lies, standin

_ABOUT = """A stand-in for Seldon Core 1.17.1's operator. It is NOT Seldon Core: it makes the Deployments and Services
that Seldon would make and plays its status, lies included, so that pipelines can be tried and tested where the real
operator cannot be had. No executor, no prepackaged servers, no explainers, no ingress. Never use it in production."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m hack.seldon", description=_ABOUT)
    parser.add_argument("--kubeconfig", required=True, type=Path, help="whose cluster to serve, as its administrator")
    parser.add_argument("--namespace", help="serve one namespace only (default: all)")
    parser.add_argument("--crd", type=Path, default=standin.CRD_FILE, help="the CRD that --install-crd installs")
    parser.add_argument("--install-crd", action="store_true", help="install the SeldonDeployment CRD first")
    parser.add_argument(
        "--settle",
        type=float,
        default=standin.SETTLE_SECONDS,
        metavar="SECONDS",
        help="how long the false Available stands after an update (default: %(default)s, as measured)",
    )
    parser.add_argument(
        "--readiness-delay",
        type=int,
        default=desired.Options().readiness_delay,
        metavar="SECONDS",
        help="initial delay of the readiness probe (default: %(default)s; Seldon's own is 20)",
    )
    parser.add_argument(
        "--lie",
        type=lies.Lie,
        choices=list(lies.Lie),
        default=lies.Lie.REAL,
        help=f"behaviour of objects that have no annotation {lies.ANNOTATION} (default: %(default)s)",
    )
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(chosen))
    return 0


async def _run(chosen: argparse.Namespace) -> None:
    if chosen.install_crd:
        await standin.install(chosen.kubeconfig, chosen.crd)
    options = desired.Options(readiness_delay=chosen.readiness_delay)
    async with standin.StandIn(
        chosen.kubeconfig, namespace=chosen.namespace, options=options, settle=chosen.settle, lie=chosen.lie
    ) as stand_in:
        await stand_in.forever()


if __name__ == "__main__":
    raise SystemExit(main())
