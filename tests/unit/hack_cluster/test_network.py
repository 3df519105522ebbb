"""A range is taken only where no route of the machine goes."""

from __future__ import annotations

import ipaddress

import pytest

from hack.cluster import network


def test_the_addresses_of_a_cluster_lie_apart_in_its_range() -> None:
    net = network.Network(123)
    everything = ipaddress.IPv4Network(net.all)
    link, services, pods = (
        ipaddress.IPv4Network(each, strict=False) for each in (f"{net.host}/24", net.services, net.pods)
    )
    assert all(each.subnet_of(everything) for each in (link, services, pods))
    assert not any(one.overlaps(other) for one, other in ((link, services), (link, pods), (services, pods)))
    assert ipaddress.ip_address(net.node) in link
    assert {ipaddress.ip_address(net.dns), ipaddress.ip_address(net.first_service)} <= set(services.hosts())


@pytest.mark.parametrize(
    ("routes", "first"),
    [
        ([], 100),
        (["10.100.0.0/16"], 101),
        (["10.100.7.0/24", "10.101.0.9/32"], 102),
        (["10.96.0.0/11"], 128),
        (["192.168.0.0/16"], 100),
    ],
    ids=["nothing", "a neighbour", "parts of ranges", "a wide one", "elsewhere"],
)
def test_a_range_overlaps_no_route(routes: list[str], first: int) -> None:
    taken = [ipaddress.IPv4Network(each) for each in routes]
    assert next(network.free(taken)).number == first
