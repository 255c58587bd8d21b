"""When an address is left out, and when it is back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphgw.sources.balancing.addresses import Address
    from graphgw.sources.balancing.settings import (
        EjectionSettings,
        HealthCheckSettings,
    )

__all__ = ["Change", "note_check", "note_failure", "note_return", "note_success"]

Change: TypeAlias = Literal["ejected", "returned", "unhealthy", "healthy"]


def note_success(address: Address) -> None:
    """Forget the failures before."""
    address.failures = 0


def note_failure(
    address: Address, among: Sequence[Address], settings: EjectionSettings, now: float
) -> Change | None:
    """Count a failure; eject the address if it is one too many in a row.

    One of several addresses may always go, more only up to their share; the last one
    stays, and so does one that is out already.
    """
    address.failures += 1
    if not settings.is_enabled or address.failures < settings.consecutive_failures:
        return None
    if address.ejected_until:
        return None
    gone = sum(1 for item in among if now < item.ejected_until)
    most = min(len(among) - 1, max(1, int(len(among) * settings.max_ejected)))
    if gone >= most:
        return None
    if address.ejections:
        well = int((now - address.since) / settings.base_time)
        address.ejections = max(0, address.ejections - well)
    address.ejections += 1
    address.failures = 0
    seconds = min(settings.base_time * address.ejections, settings.max_time)
    address.ejected_until = now + seconds
    return "ejected"


def note_return(address: Address, now: float) -> Change | None:
    """Let an address in whose time is over; it starts slowly."""
    if not address.ejected_until or now < address.ejected_until:
        return None
    address.ejected_until = 0.0
    address.since = now
    return "returned"


def note_check(
    address: Address, settings: HealthCheckSettings, now: float, *, is_well: bool
) -> Change | None:
    """Take in what an address said of itself; a few words in a row count."""
    if is_well is address.is_healthy:
        address.checks = 0
        return None
    address.checks += 1
    if address.checks < (settings.healthy if is_well else settings.unhealthy):
        return None
    address.checks = 0
    address.is_healthy = is_well
    if not is_well:
        return "unhealthy"
    address.since = now
    return "healthy"
