"""Runs in a pod of the operator's image, as text: each thing started in turn, its wall and CPU time as JSON.

python3 -c "$(cat inside.py)" ROUNDS
"""

import json
import os
import resource
import subprocess
import sys
import time
import urllib.error
import urllib.request

READY = "http://127.0.0.1:8080/readyz"
MODULE = [sys.executable, "-m", "modelpipeline"]


def main() -> None:
    """Measure all, a round after the other."""
    found: dict[str, list[dict[str, float]]] = {}
    for _ in range(int(sys.argv[1])):
        for name, seconds in (
            ("python3 -c pass", ended([sys.executable, "-c", "pass"])),
            ("--version", ended([*MODULE, "--version"])),
            ("--version, nothing compiled before", ended([*MODULE, "--version"], PYTHONPYCACHEPREFIX="/nowhere")),
            ("/readyz answers 200", ready()),
        ):
            found.setdefault(name, []).append(seconds)
    sys.stdout.write(json.dumps(found))


def ended(command: list[str], **settings: str) -> dict[str, float]:
    """Run it to its end."""
    began, before = time.monotonic(), cpu()
    subprocess.run(command, env={**os.environ, **settings}, check=True, stdout=subprocess.DEVNULL)
    return {"wall": time.monotonic() - began, "cpu": cpu() - before}


def ready() -> dict[str, float]:
    """Run the operator until it is ready; the CPU time is that of its whole short life."""
    began, before = time.monotonic(), cpu()
    with subprocess.Popen([*MODULE, "run"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as operator:
        while not answers():
            if operator.poll() is not None:
                sys.exit(f"error: the operator ended with {operator.returncode}")
            time.sleep(0.01)
        wall = time.monotonic() - began
        operator.terminate()
    return {"wall": wall, "cpu": cpu() - before}


def answers() -> bool:
    """Ask once."""
    try:
        with urllib.request.urlopen(READY, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def cpu() -> float:
    """Return the CPU time of all children that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
