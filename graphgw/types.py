"""Shared vocabulary: JSON aliases, clocks, deadlines and the principal."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias, TypeVar, dataclass_transform

__all__ = [
    "ANONYMOUS",
    "JSON",
    "SYSTEM_CLOCK",
    "Clock",
    "Deadline",
    "Headers",
    "JSONObject",
    "Principal",
    "Quota",
    "SystemClock",
    "record",
]

JSON: TypeAlias = Any
"""A decoded JSON value: dict, list, str, int, float, bool or None."""

JSONObject: TypeAlias = dict[str, Any]
"""A decoded JSON object."""

Headers: TypeAlias = Mapping[str, str]
"""Header values by lower-case name."""


class Clock(Protocol):
    """Tells the time; tests inject one that they move by hand."""

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        ...

    def time(self) -> float:
        """Return seconds since the Unix epoch."""
        ...


class SystemClock:
    """The machine's clock."""

    __slots__ = ()

    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)


SYSTEM_CLOCK: Final = SystemClock()

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(kind: type[T]) -> type[T]:
    """Make a slotted dataclass that type checkers keep frozen.

    One that is frozen at run time takes three times as long to make; this is for
    what every request makes some of.
    """
    return dataclass(slots=True, unsafe_hash=True)(kind)


@record
class Deadline:
    """The moment by which an answer must be ready, on the monotonic clock."""

    at: float
    clock: Clock = field(default=SYSTEM_CLOCK, repr=False)

    @classmethod
    def after(cls, seconds: float, clock: Clock = SYSTEM_CLOCK) -> Deadline:
        """Return the deadline that lies ``seconds`` ahead."""
        return cls(clock.monotonic() + seconds, clock)

    def remaining(self) -> float:
        """Return the seconds left, never less than zero."""
        return max(0.0, self.at - self.clock.monotonic())

    @property
    def is_over(self) -> bool:
        """Tell whether the deadline has passed."""
        return self.clock.monotonic() >= self.at


@dataclass(frozen=True, slots=True)
class Quota:
    """How many operations may be sent in each window of so many seconds."""

    limit: int
    window: float


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking, after authentication.

    ``subject`` is ``None`` for an anonymous caller. ``claims`` are the verified
    claims of the token and never print.
    """

    subject: str | None = None
    scopes: frozenset[str] = frozenset()
    claims: Mapping[str, JSON] = field(default_factory=dict, repr=False)
    api_key: str | None = None
    ip: str | None = None
    variant: str | None = None
    """The one variant of the graph that the API key is for."""
    quota: Quota | None = None
    """How often the API key may be used."""

    @property
    def is_authenticated(self) -> bool:
        """Tell whether the caller proved who they are."""
        return self.subject is not None or self.api_key is not None


ANONYMOUS: Final = Principal()
