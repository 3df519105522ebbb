"""Whether a cluster works: its processes run and its API server says it is ready. Also waiting for that."""

from __future__ import annotations

import ssl
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from hack.cluster import control_plane, processes
from hack.cluster.trouble import Trouble


def whole(state: Path, files: control_plane.Files, server: str) -> bool:
    """Tell whether all that was started still runs and the API server is ready."""
    return all(processes.alive(process) for process in processes.recorded(state)) and ready(files, server)


def ready(files: control_plane.Files, server: str) -> bool:
    """Ask the API server whether it is ready."""
    pair = files.pair("admin")
    try:
        context = ssl.create_default_context(cafile=str(files.authority.certificate))
        context.load_cert_chain(pair.certificate, pair.key)
        return answers(f"{server}/readyz", urllib.request.HTTPSHandler(context=context))
    except OSError:
        return False


def answers(url: str, *handlers: urllib.request.BaseHandler) -> bool:
    """Ask a server of the cluster; no proxy of the user's shell stands between us and it."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), *handlers)
    try:
        with opener.open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def wait(state: Path, what: str, check: Callable[[], bool], seconds: float = 90) -> None:
    """Wait until the check holds; stop at once when a process of the cluster has ended."""
    deadline = time.monotonic() + seconds
    while not check():
        for process in processes.recorded(state):
            if not processes.alive(process):
                raise Trouble(
                    f"{process.name} ended: {processes.last_words(state, process.name)}",
                    f"read {processes.log_of(state, process.name)}, then run up again",
                )
        if time.monotonic() > deadline:
            raise Trouble(f"{what} did not come within {seconds:.0f} s", f"read the logs in {state / 'logs'}")
        time.sleep(0.1)
