"""Runs in the Dockerfile's second stage, with the very Python that the operator will have: compile the libraries.

    python3 bytecode.py FOLDER

The final image is read-only, so what is not compiled here would be compiled again at every start. All of it goes into
one folder (PYTHONPYCACHEPREFIX) and holds for ever, without a look at the sources' times: same input, same bytes.
"""

import compileall
import importlib
import pathlib
import py_compile
import re
import sys
import sysconfig

_FOR_EVER = py_compile.PycInvalidationMode.UNCHECKED_HASH
# What nothing imports that runs here: most of Python's own library that is not for programs, and the client's class for
# each kind and each call, of which a handful is loaded.
_SELDOM = re.compile(
    r"/(test|tests|idlelib|lib2to3|ensurepip|tkinter|turtledemo|distutils|pydoc_data|dist-packages)/"
    r"|/kubernetes/(aio/)?client/(api|models)/"
)


def main() -> None:
    """Compile Python's own library and the operator's."""
    tree(pathlib.Path(sysconfig.get_path("stdlib")))
    tree(pathlib.Path(sys.argv[1]))
    for library in ("kopf", "kubernetes.aio.client", "kubernetes.aio.config"):
        importlib.import_module(library)
    for module in list(sys.modules.values()):
        source = getattr(module, "__file__", None) or ""
        if source.endswith(".py") and _SELDOM.search(source):
            py_compile.compile(source, doraise=True, invalidation_mode=_FOR_EVER)


def tree(folder: pathlib.Path) -> None:
    """Compile what lies in a folder."""
    if not compileall.compile_dir(folder, quiet=1, rx=_SELDOM, invalidation_mode=_FOR_EVER):
        sys.exit(f"error: not all of {folder} can be compiled")


if __name__ == "__main__":
    main()
