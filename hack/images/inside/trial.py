"""Runs in the Dockerfile's third stage: the operator's own code gets its version, is compiled, and is tried.

VERSION=... python3 trial.py FOLDER
"""

import os
import pathlib
import re
import subprocess
import sys

import bytecode  # type: ignore[import-not-found]  # its neighbour in the image, found as a script's neighbours are


def main() -> None:
    """Stamp, compile, try."""
    folder, version = pathlib.Path(sys.argv[1]), os.environ["VERSION"]
    _stamp(folder / "modelpipeline" / "__init__.py", version)
    bytecode.tree(folder)
    command = [sys.executable, "-m", "modelpipeline", "--version"]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout.strip()
    if said != version:
        sys.exit(
            f"error: the operator says {said!r} for {version!r}: do BASE and RUNTIME have the same Python and libc?"
        )


def _stamp(module: pathlib.Path, version: str) -> None:
    if not re.fullmatch(r"[0-9][0-9A-Za-z.+-]*", version):
        sys.exit(f"error: VERSION {version!r} is no version; for example 0.2.0")
    text, count = re.subn(r'^__version__ = ".*"$', f'__version__ = "{version}"', module.read_text(), flags=re.MULTILINE)
    if count != 1:
        sys.exit(f"error: {module} holds no __version__")
    module.write_text(text)


if __name__ == "__main__":
    main()
