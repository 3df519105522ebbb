"""The way to a cluster on this machine: direct, past any proxy of the user's shell."""

from __future__ import annotations

import os

_PROXIES = {"http_proxy", "https_proxy", "all_proxy"}


def environment() -> dict[str, str]:
    """Return our environment without its proxies, for tools that talk with the cluster only."""
    return {name: value for name, value in os.environ.items() if name.lower() not in _PROXIES}


def behind_proxy() -> bool:
    """Tell whether the user's shell sends its requests to a proxy."""
    return len(environment()) < len(os.environ)
