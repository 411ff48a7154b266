"""Arithmetic on address ranges: splitting a block among NICs, finding overlaps, counting hosts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network

__all__ = ["RESERVED_PER_SUBNET", "hosts", "nodes_with_pods", "overlaps", "split"]

RESERVED_PER_SUBNET = 4
"""Addresses that Google Cloud keeps in a primary range: network, gateway, second-to-last, broadcast.

https://cloud.google.com/vpc/docs/subnets#unusable-ip-addresses-in-every-subnet
"""


def split(block: str, parts: int) -> tuple[str, ...]:
    """Return the first ``parts`` equal subnets of ``block``, as large as a power of two allows.

    Raises:
        ValueError: the block is not IPv4, or its parts would be smaller than a /29, the smallest subnet of a VPC.
    """
    if parts < 1:
        raise ValueError(f"cannot split {block} into {parts} parts")
    network = IPv4Network(block)
    bits = (parts - 1).bit_length()
    if network.prefixlen + bits > 29:
        raise ValueError(f"{block} is too small for {parts} subnets of at least a /29")
    return tuple(str(subnet) for subnet in itertools.islice(network.subnets(prefixlen_diff=bits), parts))


def hosts(block: str) -> int:
    """Return how many addresses of a primary range can be given to machines."""
    return max(IPv4Network(block).num_addresses - RESERVED_PER_SUBNET, 0)


def nodes_with_pods(block: str | IPv4Network, pods: int) -> int:
    """Return how many nodes a pod range has room for: each takes the power of two that is at least twice its pods.

    https://cloud.google.com/kubernetes-engine/docs/how-to/flexible-pod-cidr
    """
    return IPv4Network(block).num_addresses >> (2 * pods - 1).bit_length()


def overlaps(named: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the pairs of names whose ranges share an address, each once, in the order given."""
    networks = {name: IPv4Network(block) for name, block in named.items()}
    for (one, first), (other, second) in itertools.combinations(networks.items(), 2):
        if first.overlaps(second):
            yield one, other
