"""Chooses the address of each call to one service, and learns from how it went."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from graphgw.sources.balancing.addresses import Address
from graphgw.sources.balancing.health import (
    note_check,
    note_failure,
    note_return,
    note_success,
)
from graphgw.sources.balancing.picks import (
    fraction,
    pick_by_hash,
    pick_in_turn,
    pick_least,
)
from graphgw.sources.http_transport.origins import split_url
from graphgw.telemetry.events import AddressCalled, AddressChanged
from graphgw.telemetry.observer import NO_OBSERVER
from graphgw.types import SYSTEM_CLOCK

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from graphgw.sources.balancing.health import Change
    from graphgw.sources.settings import ServiceSettings
    from graphgw.telemetry.observer import Observer
    from graphgw.types import Clock

__all__ = ["Balancer", "HeaderPairs"]

HeaderPairs: TypeAlias = "Iterable[tuple[str, str]]"


class Balancer:
    """The addresses of one service; belongs to it as long as it lives.

    ``origin`` is that of the URLs which others write; calls to it are spread.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        *,
        clock: Clock = SYSTEM_CLOCK,
        observer: Observer = NO_OBSERVER,
    ) -> None:
        self.settings = settings
        self.origin = split_url(settings.base_url)[0]
        self.addresses: list[Address] = [
            Address(_label(origin), origin, item.weight, item.group)
            for item in settings.all_urls
            for origin in (split_url(item.url)[0],)
        ]
        self._name = settings.name
        self._clock = clock
        self._observer = observer
        self._owed = 0.0
        balance, split = settings.balance, settings.split
        self._header = balance.header.lower() if balance.header else None
        self._split_header = split.header.lower() if split and split.header else None
        self._pins = dict(split.pins) if split else {}

    def choose(self, headers: HeaderPairs, tried: list[str] | None = None) -> Address:
        """Return where a call goes; to be given back with ``settle``.

        Args:
            headers: What it is sent with, names in lower case.
            tried: Where it was tried before, if others are to be preferred; takes
                the choice down.
        """
        now = self._clock.monotonic()
        for address in self.addresses:
            if (change := note_return(address, now)) is not None:
                self._tell(address, change)
        key, pin = self._read(headers)
        group = self._choose_group(key, pin)
        address = self._pick(self._narrow(group, tried, now), key, now)
        address.outstanding += 1
        if tried is not None:
            tried.append(address.label)
        return address

    def settle(
        self, address: Address, outcome: str, *, is_failure: bool, is_known: bool = True
    ) -> None:
        """Note how a call went; ``is_known`` is false where that says nothing."""
        address.outstanding -= 1
        self._observer.observe(AddressCalled(self._name, address.label, outcome))
        if not is_known:
            return
        if not is_failure:
            note_success(address)
            return
        ejection, now = self.settings.ejection, self._clock.monotonic()
        change = note_failure(address, self.addresses, ejection, now)
        if change is not None:
            self._tell(address, change)

    def take_check(self, address: Address, *, is_well: bool) -> None:
        """Note what an address said when it was asked whether it is well."""
        check = self.settings.health_check
        if check is None:
            return
        now = self._clock.monotonic()
        change = note_check(address, check, now, is_well=is_well)
        if change is not None:
            self._tell(address, change)

    def renew(self, records: Mapping[str, Sequence[str]]) -> list[Address]:
        """Take the IP addresses that names have now; return the addresses that went.

        A name that is not there keeps those it had.
        """
        known = {item.label: item for item in self.addresses}
        now = self._clock.monotonic()
        found: list[Address] = []
        for item in self.settings.all_urls:
            origin = split_url(item.url)[0]
            if origin not in records:
                found.extend(a for a in self.addresses if a.origin == origin)
                continue
            for ip in records[origin]:
                label = f"{_label(origin)} ({ip})"
                found.append(
                    known.get(label)
                    or Address(label, origin, item.weight, item.group, ip, since=now)
                )
        before, self.addresses = self.addresses, found
        return [item for item in before if item not in found]

    def _read(self, headers: HeaderPairs) -> tuple[str | None, str | None]:
        """Return what is hashed, and what pins to a group."""
        if self._header is None and self._split_header is None:
            return None, None
        found = dict(headers)
        return found.get(self._header or ""), found.get(self._split_header or "")

    def _choose_group(self, key: str | None, pin: str | None) -> str | None:
        """Return the group that a call goes to; ``None`` if there is but one."""
        split = self.settings.split
        if split is None:
            return None
        if pin is not None and (pinned := self._pins.get(pin)) is not None:
            return pinned
        if key is not None:
            is_in = fraction(f"split\0{key}") < split.share
        else:
            self._owed += split.share
            is_in = self._owed >= 1.0 - 1e-9
            self._owed -= is_in
        return split.group if is_in else ""

    def _narrow(
        self, group: str | None, tried: list[str] | None, now: float
    ) -> Sequence[Address]:
        """Return the addresses to pick from; all, when none of them is well."""
        members: Sequence[Address] = self.addresses
        if group is not None:
            split = self.settings.split
            canary = split.group if split else ""
            members = [
                item
                for item in members
                if (item.group == group if group else item.group != canary)
            ]
        well = [item for item in members if item.is_available(now)]
        if not well:
            # What another group can answer is better than a failure.
            well = [item for item in self.addresses if item.is_available(now)]
        chosen = well or members or self.addresses
        if tried:
            new = [item for item in chosen if item.label not in tried]
            new = new or [
                item
                for item in self.addresses
                if item.is_available(now) and item.label not in tried
            ]
            return new or chosen
        return chosen

    def _pick(self, among: Sequence[Address], key: str | None, now: float) -> Address:
        if len(among) == 1:
            return among[0]
        balance = self.settings.balance
        method, slow_start = balance.method, balance.slow_start
        if method == "consistent_hash" and key is not None:
            return pick_by_hash(among, key)
        if method == "least_outstanding":
            return pick_least(among, now, slow_start)
        by_weight = method != "round_robin"
        return pick_in_turn(among, now, slow_start, by_weight=by_weight)

    def _tell(self, address: Address, change: Change) -> None:
        self._observer.observe(AddressChanged(self._name, address.label, change))


def _label(origin: str) -> str:
    return origin.partition("://")[2]
