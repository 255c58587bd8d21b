"""The client's address behind trusted proxies, and lists of networks."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable


__all__ = ["AddressList", "client_address", "is_address_allowed"]

Address: TypeAlias = IPv4Address | IPv6Address


class AddressList:
    """Networks, v4 and v6; answers which addresses they hold."""

    __slots__ = ("_networks",)

    def __init__(self, cidrs: Iterable[str]) -> None:
        self._networks = tuple(ip_network(cidr, strict=False) for cidr in cidrs)

    def __bool__(self) -> bool:
        return bool(self._networks)

    def holds(self, address: str | None) -> bool:
        """Tell whether the address is in one of the networks; unknown ones are not."""
        parsed = None if address is None else _parse(address)
        return parsed is not None and any(
            parsed.version == network.version and parsed in network
            for network in self._networks
        )


def client_address(
    peer: str | None, forwarded_for: str | None, trusted: AddressList
) -> str | None:
    """Return the address of the client.

    Going back from the peer, the first address that is not a trusted proxy counts;
    what it says of others does not.
    """
    if forwarded_for is None or not trusted.holds(peer):
        return peer
    client = peer
    for part in reversed(forwarded_for.split(",")):
        address = _parse(part.strip())
        if address is None:
            return client
        client = str(address)
        if not trusted.holds(client):
            return client
    return client


def is_address_allowed(
    address: str | None, allow: AddressList, deny: AddressList
) -> bool:
    """Tell whether an address may call: denied ones never, others if allowed."""
    return not deny.holds(address) and (not allow or allow.holds(address))


@lru_cache(maxsize=4096)
def _parse(address: str) -> Address | None:
    try:
        parsed = ip_address(address.removeprefix("[").partition("]")[0])
    except ValueError:
        return _without_port(address)
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return mapped or parsed


def _without_port(address: str) -> Address | None:
    host, separator, port = address.rpartition(":")
    if not separator or not port.isdecimal() or ":" in host:
        return None
    try:
        return ip_address(host)
    except ValueError:
        return None
