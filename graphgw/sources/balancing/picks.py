"""The ways to pick one of several addresses; none depends on chance."""

from __future__ import annotations

import math
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphgw.sources.balancing.addresses import Address

__all__ = ["fraction", "pick_by_hash", "pick_in_turn", "pick_least"]

_DIGEST: Final = 8
_RANGE: Final = 1 << (8 * _DIGEST)


def pick_in_turn(
    addresses: Sequence[Address],
    now: float,
    slow_start: float = 0.0,
    *,
    by_weight: bool = True,
) -> Address:
    """Return the next in a smooth weighted round: shares are even at any moment."""
    total = 0.0
    best = addresses[0]
    for address in addresses:
        weight = address.ramp(now, slow_start) * (address.weight if by_weight else 1)
        total += weight
        address.turn += weight
        if address.turn > best.turn:
            best = address
    best.turn -= total
    return best


def pick_least(
    addresses: Sequence[Address], now: float, slow_start: float = 0.0
) -> Address:
    """Return the one with the fewest calls under way for its weight.

    Where several have as few, they take turns.
    """
    loads = [
        (item.outstanding + 1) / (item.weight * item.ramp(now, slow_start))
        for item in addresses
    ]
    least = min(loads)
    idle = [item for item, load in zip(addresses, loads, strict=True) if load == least]
    return pick_in_turn(idle, now) if len(idle) > 1 else idle[0]


def pick_by_hash(addresses: Sequence[Address], key: str) -> Address:
    """Return the same address for a key each time, as long as it is among them.

    Weighted rendezvous: an address that comes or goes moves its own keys alone.
    """
    return max(
        addresses,
        key=lambda item: -item.weight / math.log(fraction(f"{item.label}\0{key}")),
    )


def fraction(text: str) -> float:
    """Return a number between 0 and 1, both excluded, that the text alone decides."""
    digest = blake2b(text.encode(), digest_size=_DIGEST).digest()
    # A float has 53 bits: the ends of the range would be rounded to 0 and 1.
    return min(max((int.from_bytes(digest) + 0.5) / _RANGE, 1e-12), 1 - 1e-12)
