"""Runs in the Dockerfile's first stage: the operator's libraries, exactly the pinned ones.

    python3 libraries.py REQUIREMENTS FOLDER

Plain Python on purpose: nothing of this project is there yet.
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
from typing import Any


def main() -> None:
    """Install, and record what was installed."""
    requirements, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as scratch:
        report = pathlib.Path(scratch) / "report.json"
        _install(requirements, folder, report)
        _record(json.loads(report.read_text()), folder / "packages.txt")
    # Console scripts start by the path of the Python that installed them, which the final image does not have.
    shutil.rmtree(folder / "bin", ignore_errors=True)


def _install(requirements: str, folder: pathlib.Path, report: pathlib.Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--root-user-action=ignore", "--no-cache-dir"]
    command += ["--no-compile", "--require-hashes", "--only-binary=:all:", f"--target={folder}", f"--report={report}"]
    subprocess.run([*command, f"--requirement={requirements}"], check=True)


def _record(report: dict[str, Any], record: pathlib.Path) -> None:
    """Write which file of each package was installed; the requirements name those of every platform."""
    lines = []
    for item in report["install"]:
        name, version = item["metadata"]["name"], item["metadata"]["version"]
        (algorithm, digest), *_ = item["download_info"]["archive_info"]["hashes"].items()
        lines.append(f"{name}=={version} --hash={algorithm}:{digest}\n")
    record.write_text("".join(sorted(lines, key=str.lower)))


if __name__ == "__main__":
    main()
