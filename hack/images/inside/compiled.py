"""Runs in the Dockerfile's second stage, with the very Python that the operator will have: compile, then try.

    python3 compiled.py TARGET

The final image is read-only, so what is not compiled here would be compiled again at every start. All of it goes into
one folder (PYTHONPYCACHEPREFIX) and holds for ever, without a look at the sources' times: same input, same bytes.
"""

import compileall
import os
import pathlib
import py_compile
import re
import subprocess
import sys
import sysconfig

# Of Python's own library, what nothing imports that runs here.
_NEVER = re.compile(r"/(test|tests|idlelib|lib2to3|ensurepip|tkinter|turtledemo|distutils|pydoc_data|dist-packages)/")


def main() -> None:
    """Compile both libraries and see whether the operator starts with them."""
    target = pathlib.Path(sys.argv[1])
    sys.pycache_prefix = str(target / "compiled")
    done = [_compile(target), _compile(pathlib.Path(sysconfig.get_path("stdlib")))]
    if not all(done):
        sys.exit("error: a file could not be compiled")
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": sys.pycache_prefix, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "modelpipeline", "run", "--help"]
    if subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False).returncode != 0:
        sys.exit("error: the operator does not start: do BASE and RUNTIME have the same Python and C library?")


def _compile(folder: pathlib.Path) -> bool:
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    return bool(compileall.compile_dir(folder, quiet=1, rx=_NEVER, invalidation_mode=unchecked))


if __name__ == "__main__":
    main()
