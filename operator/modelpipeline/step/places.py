"""Where things lie in the containers of a build pod: the one table that the pod's mounts and the steps share.

Who sees what is the point (docs/how-the-build-works.md): assemble, where a user's code runs, sees tools and source
read-only and layer; never verdict, work, private or the secrets.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = "/modelpipeline"
CONTRACT_VARIABLE = "MODELPIPELINE_BUILD"


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of a build pod, below one root; tests give another root."""

    root: Path = Path(ROOT)
    termination_log: Path = Path("/dev/termination-log")
    kit: Path = Path("/usr/local/lib/modelpipeline")
    """What the build image carries for assemble: busybox, static."""

    @property
    def tools(self) -> Path:
        """Return what fetch gives to assemble: busybox, the script, its orders."""
        return self.root / "tools"

    @property
    def source(self) -> Path:
        """Return the source that is built."""
        return self.root / "source"

    @property
    def verdict(self) -> Path:
        """Return what fetch found out, for push alone."""
        return self.root / "verdict"

    @property
    def layer(self) -> Path:
        """Return what assemble left: read with suspicion."""
        return self.root / "layer"

    @property
    def work(self) -> Path:
        """Return room for large files of fetch and push."""
        return self.root / "work"

    @property
    def private(self) -> Path:
        """Return room for credentials, in memory."""
        return self.root / "private"

    @property
    def registry_secret(self) -> Path:
        """Return where the push secret is mounted."""
        return self.root / "secrets" / "registry"

    @property
    def git_secret(self) -> Path:
        """Return where the git secret is mounted."""
        return self.root / "secrets" / "git"

    @property
    def ca(self) -> Path:
        """Return where the ConfigMap with the CA bundle is mounted."""
        return self.root / "ca"

    @property
    def config_map(self) -> Path:
        """Return where the ConfigMap that is the source is mounted."""
        return self.root / "configmap"
