"""What the operator's settings mean to the stages: plain values, handed down once (settings.py parses them)."""

from __future__ import annotations

from dataclasses import dataclass, field

from modelpipeline.api import tenancy


@dataclass(frozen=True, slots=True)
class Registry:
    """How images under `prefix` are reached: plain HTTP when `insecure`, through `mirror` when it is set."""

    prefix: str
    insecure: bool = False
    mirror: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """What no pipeline may exceed; empty and 0 are no limit.

    `image_prefixes` may hold {namespace}; `resources` are pairs of a resource and the highest quantity of one
    container; `storage` is the highest size of a volume, `replicas` the highest number of servers.
    """

    image_prefixes: tuple[str, ...] = ()
    resources: tuple[tuple[str, str], ...] = ()
    storage: str = ""
    replicas: int = 0
    refused_namespaces: tuple[str, ...] = tenancy.REFUSED_NAMESPACES

    @property
    def any(self) -> bool:
        """Say whether a spec has to be looked at."""
        return bool(self.image_prefixes or self.resources or self.storage or self.replicas)


@dataclass(frozen=True, slots=True)
class Policy:
    """Settings that decisions depend on.

    `build_image` runs fetch and push of a build pod; `proxy` are HTTP_PROXY, HTTPS_PROXY, NO_PROXY for them;
    `strict_job_status` waits for the Job's own condition instead of the container's exit code (facts: some 2 s later);
    `settle_seconds` is how long a roll-out must look complete before it is believed; `resync_seconds` is how long a
    fact may stay unseen that a watch has lost; `limits` are what no pipeline may exceed.
    """

    build_image: str = "modelpipeline/build:dev"
    registries: tuple[Registry, ...] = ()
    proxy: dict[str, str] = field(default_factory=dict)
    strict_job_status: bool = False
    settle_seconds: float = 2.0
    resync_seconds: float = 20.0
    limits: Limits = Limits()
