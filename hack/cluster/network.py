"""The network between the host and a box: one veth pair, one route, a /16 of its own for each cluster."""

from __future__ import annotations

import ipaddress
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hack.cluster import box, trouble
from hack.cluster.trouble import Trouble

# 10.100.0.0/16 to 10.199.0.0/16: less popular than both ends of 10.0.0.0/8, and checked against every route.
_CANDIDATES = range(100, 200)


@dataclass(frozen=True)
class Network:
    """The addresses of one cluster, all in 10.<number>.0.0/16."""

    number: int

    @property
    def all(self) -> str:
        """Everything of the cluster."""
        return f"10.{self.number}.0.0/16"

    @property
    def host(self) -> str:
        """The host as pods see it."""
        return f"10.{self.number}.0.1"

    @property
    def node(self) -> str:
        """The node, its API server and its registry, under the same address for everybody."""
        return f"10.{self.number}.0.2"

    @property
    def services(self) -> str:
        """The range of ClusterIPs."""
        return f"10.{self.number}.1.0/24"

    @property
    def first_service(self) -> str:
        """The ClusterIP of the API server."""
        return f"10.{self.number}.1.1"

    @property
    def dns(self) -> str:
        """The ClusterIP of the DNS."""
        return f"10.{self.number}.1.10"

    @property
    def pods(self) -> str:
        """The range of pods."""
        return f"10.{self.number}.128.0/17"


def join(into: box.Box) -> Network:
    """Connect the box with the host on the first free range."""
    interface = interface_of(into.state)
    # Made with its other end already in the box, so that it cannot outlive the box even when we are killed now.
    inside = ["peer", "name", "host", "netns", str(into.first)]
    box.run("ip", "link", "add", interface, "type", "veth", *inside)
    box.run("ip", "link", "set", interface, "up")
    network = _claim(interface)
    box.run("ip", "address", "add", f"{network.host}/24", "dev", interface)
    into.run("ip", "link", "set", "lo", "up")
    into.run("ip", "address", "add", f"{network.node}/24", "dev", "host")
    into.run("ip", "link", "set", "host", "up")
    # No default route: pods reach the host and each other, and learn at once that nothing else is reachable.
    into.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
    return network


def interface_of(state: Path) -> str:
    """Name the host's end of the pair: found again by the state folder alone."""
    return f"mpl{box.identity(state)}"


def leave(state: Path, seconds: float = 10) -> None:
    """Wait until the kernel has taken the interface away with the box that it led to."""
    deadline = time.monotonic() + seconds
    while (Path("/sys/class/net") / interface_of(state)).exists():
        if time.monotonic() > deadline:
            box.run("ip", "link", "delete", interface_of(state))
            return
        time.sleep(0.02)


def free(taken: list[ipaddress.IPv4Network]) -> Iterator[Network]:
    """Yield the ranges that overlap none of these."""
    for number in _CANDIDATES:
        network = Network(number)
        if not any(ipaddress.ip_network(network.all).overlaps(other) for other in taken):
            yield network


def _claim(interface: str) -> Network:
    """Claim a range by its route, which the kernel gives to one only."""
    for network in free(_routed()):
        try:
            box.run("ip", "route", "add", network.all, "via", network.node, "dev", interface, "onlink")
        except Trouble as error:
            if "File exists" in str(error):
                continue
            raise
        return network
    raise Trouble(
        "no 10.100-199.0.0/16 is free", f"end clusters that nobody needs: {trouble.command('status', '--all')}"
    )


def _routed() -> list[ipaddress.IPv4Network]:
    routes = json.loads(box.run("ip", "-4", "-json", "route", "show"))
    destinations = [str(route["dst"]) for route in routes]
    return [ipaddress.IPv4Network(each) for each in destinations if each != "default"]
