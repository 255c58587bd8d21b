"""The limits of the HTTP transport."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphgw.sources.content_encoding import ACCEPT_ENCODING

if TYPE_CHECKING:
    from graphgw.sources.settings import ServiceSettings, TLSSettings

__all__ = ["TransportSettings", "read_transport_settings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportSettings:
    """Limits of a transport; times in seconds, connections for each origin."""

    connect_timeout: float = 1.0
    max_answer_bytes: int = 10 * 1024 * 1024
    """Counted while reading, and again after inflating."""
    max_header_bytes: int = 64 * 1024
    max_connections: int = 100
    keep_alive: float = 30.0
    max_connection_age: float = 300.0
    accept_encoding: str = ACCEPT_ENCODING
    """What is asked for; empty for answers as they are."""
    tls: TLSSettings | None = None


def read_transport_settings(service: ServiceSettings) -> TransportSettings:
    """Return the limits that a service's settings mean for its transport."""
    return TransportSettings(
        connect_timeout=service.connect_timeout,
        max_answer_bytes=service.max_answer_bytes,
        max_header_bytes=service.max_header_bytes,
        max_connections=service.max_connections,
        keep_alive=service.keep_alive,
        max_connection_age=service.max_connection_age,
        tls=service.tls,
    )
