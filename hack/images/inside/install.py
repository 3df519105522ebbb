"""Runs in the Dockerfile's first stage: the operator's libraries, exactly the pinned ones, and its own version.

    python3 install.py REQUIREMENTS TARGET VERSION

Plain Python on purpose: nothing of this project is there yet.
"""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from typing import Any


def main() -> None:
    """Install, record what was installed, stamp the version."""
    requirements, target, version = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "report.json"
        _pip(requirements, target, report)
        _record(json.loads(report.read_text()), target / "packages.txt")
    # Console scripts start by the path of the Python that installed them, which the final image does not have.
    shutil.rmtree(target / "bin", ignore_errors=True)
    if version:
        _stamp(target / "modelpipeline" / "__init__.py", version)


def _pip(requirements: str, target: pathlib.Path, report: pathlib.Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--root-user-action=ignore", "--no-cache-dir"]
    command += ["--no-compile", "--require-hashes", "--only-binary=:all:", f"--target={target}", f"--report={report}"]
    subprocess.run([*command, f"--requirement={requirements}"], check=True)


def _record(report: dict[str, Any], record: pathlib.Path) -> None:
    """Write which file of each package was installed; the requirements name those of every platform."""
    lines = []
    for item in report["install"]:
        name, version = item["metadata"]["name"], item["metadata"]["version"]
        (algorithm, digest), *_ = item["download_info"]["archive_info"]["hashes"].items()
        lines.append(f"{name}=={version} --hash={algorithm}:{digest}\n")
    record.write_text("".join(sorted(lines, key=str.lower)))


def _stamp(module: pathlib.Path, version: str) -> None:
    if not re.fullmatch(r"[0-9][0-9A-Za-z.+-]*", version):
        sys.exit(f"error: {version!r} is no version; for example 0.2.0")
    text, count = re.subn(r'^__version__ = ".*"$', f'__version__ = "{version}"', module.read_text(), flags=re.MULTILINE)
    if count != 1:
        sys.exit(f"error: {module} holds no __version__")
    module.write_text(text)


if __name__ == "__main__":
    main()
