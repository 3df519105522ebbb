"""The example as a git repository of its own, the way a user's model code would be one.

Bare, below one root that the git server serves. A commit is made only when the files differ from the last one.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile

from hack.demo import faults

BRANCH = "main"
# Not the person who runs the demo: nothing of the machine's git configuration goes into the repository.
IDENTITY = {
    "GIT_AUTHOR_NAME": "demo",
    "GIT_AUTHOR_EMAIL": "demo@modelpipeline.dev",
    "GIT_COMMITTER_NAME": "demo",
    "GIT_COMMITTER_EMAIL": "demo@modelpipeline.dev",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


def ensure(source: pathlib.Path, bare: pathlib.Path) -> str:
    """Bring the bare repository to the state of ``source`` and return the commit of its branch."""
    if not (bare / "HEAD").is_file():
        bare.parent.mkdir(parents=True, exist_ok=True)
        _git("init", "--quiet", "--bare", f"--initial-branch={BRANCH}", str(bare))
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder) / "work"
        shutil.copytree(source, work, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        inside = ("--git-dir", str(bare), "--work-tree", str(work))
        _git(*inside, "add", "--all", "--force", ".")
        head = _git(*inside, "rev-parse", "--verify", "--quiet", f"refs/heads/{BRANCH}", check=False)
        if not head or _git(*inside, "status", "--porcelain"):
            _git(*inside, "commit", "--quiet", "--message", "The digits example")
    return _git("--git-dir", str(bare), "rev-parse", f"refs/heads/{BRANCH}")


def _git(*arguments: str, check: bool = True) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], env=os.environ | IDENTITY, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise faults.DemoError("git is not installed; install it: apt-get install git") from None
    if check and done.returncode:
        raise faults.DemoError(f"git {arguments[0]} failed: {done.stderr.strip().splitlines()[-1:]}")
    return done.stdout.strip()
