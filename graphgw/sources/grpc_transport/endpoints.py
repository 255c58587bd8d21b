"""The servers behind a service: where each is, and when to try it again."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from graphgw.sources.grpc_transport.connection import Connection

__all__ = ["Endpoint", "Target", "parse_target"]

_FIRST_WAIT: Final = 0.1
_LONGEST_WAIT: Final = 2.0
_SPREAD: Final = 0.2


@dataclass(frozen=True, slots=True)
class Target:
    """A host and port as the configuration names them."""

    host: str
    port: int


def parse_target(address: str) -> Target:
    """Read ``host:port``; an IPv6 address is in brackets."""
    host, _, port = address.rpartition(":")
    return Target(host.strip("[]"), int(port))


@dataclass(slots=True, eq=False)
class Endpoint:
    """One IP address of a target, and the connections to it.

    After the first failure it may be tried again at once, since many are a matter of
    a moment; after that it is left alone, twice as long each time.
    """

    target: Target
    address: str
    connections: list[Connection] = field(default_factory=list)
    is_connecting: bool = False
    failures: int = 0
    last_failure: int = 0
    """The number of the last failure, as the balancer counts all of them."""
    retry_at: float = 0.0

    def note_failure(self, number: int, now: float) -> None:
        """Put off the next attempt."""
        self.failures += 1
        self.last_failure = number
        doubled = self.failures - 2
        if doubled >= 0:
            wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(doubled, 10))
            # Not all gateways at the same moment; nothing depends on the numbers.
            spread = random.uniform(1 - _SPREAD, 1 + _SPREAD)  # noqa: S311
            self.retry_at = now + wait * spread

    def note_success(self) -> None:
        """Forget the failures."""
        self.failures = 0
        self.retry_at = 0.0

    def may_connect(self, now: float, since: int) -> bool:
        """Tell whether a connection may be tried, as none has failed ``since``."""
        return (
            not self.is_connecting
            and now >= self.retry_at
            and self.last_failure <= since
        )

    @property
    def is_usable(self) -> bool:
        """Tell whether a connection is there that is not on its way out."""
        return any(item.max_streams for item in self.connections)

    def is_worn(self, now: float) -> bool:
        """Tell whether a connection in use is old enough to be replaced."""
        return any(item.max_streams and item.is_worn(now) for item in self.connections)
