"""What is told of a service that has several addresses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "AddressSettings",
    "BalanceSettings",
    "EjectionSettings",
    "HealthCheckSettings",
    "SplitSettings",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressSettings:
    """One address of a service; ``grpc://host:port`` where it speaks gRPC."""

    url: str
    weight: int = 1
    group: str = "stable"


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceSettings:
    """Which address a call goes to."""

    method: Literal[
        "round_robin", "weighted", "least_outstanding", "consistent_hash"
    ] = "round_robin"
    header: str | None = None
    """``consistent_hash`` only: calls with the same value go to the same address."""
    slow_start: float = 0.0
    """Seconds over which an address that is new, or back, gets its full share."""
    each_record: bool = False
    """Whether each IP address that a name has is an address of its own."""
    record_interval: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EjectionSettings:
    """When an address that fails is left out, and for how long (seconds)."""

    is_enabled: bool = True
    consecutive_failures: int = 5
    base_time: float = 30.0
    """Times how often it was ejected of late."""
    max_time: float = 300.0
    max_ejected: float = 0.5
    """The share of a service's addresses that may be out; one of several always may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheckSettings:
    """How addresses are asked whether they are well."""

    path: str = ""
    """HTTP only: any status from 200 to 299 says that it is."""
    service: str = ""
    """gRPC only: whose health is asked for; that of all if it is empty."""
    interval: float = 5.0
    timeout: float = 1.0
    healthy: int = 2
    """Good answers in a row after which an address is in again."""
    unhealthy: int = 3
    """Failures in a row after which it is out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitSettings:
    """Which calls go to the addresses of one group, and not to all others."""

    group: str
    share: float = 0.0
    """The part of the calls that goes to the group."""
    header: str | None = None
    pins: tuple[tuple[str, str], ...] = ()
    """Values of the header, and the group to which each leads."""
