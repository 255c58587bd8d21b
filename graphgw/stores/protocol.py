"""What is kept between requests: values, tags that date them, and buckets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from graphgw.errors import GraphGWError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "ANY_TAG",
    "Bucket",
    "Draw",
    "Found",
    "Store",
    "StoreError",
    "Verdict",
    "Withdrawal",
]

ANY_TAG: Final = ""
"""Its stamp changes whenever any tag is invalidated, in the same step."""


class StoreError(GraphGWError):
    """The store could not be reached or answered nonsense; never shown to clients."""


@dataclass(frozen=True, slots=True)
class Found:
    """Values in key order (``None``: not there), stamps in tag order.

    A stamp changes whenever its tag is invalidated.
    """

    values: list[bytes | None]
    stamps: list[bytes]


@dataclass(frozen=True, slots=True)
class Bucket:
    """A limit and whose it is: ``limit`` uses in ``window`` seconds, ``burst`` at once.

    In any span of t seconds at most ``burst + limit * t / window`` uses pass.
    """

    key: str
    limit: int
    window: float
    burst: int

    @property
    def interval(self) -> float:
        """Seconds in which one use comes back."""
        return self.window / self.limit


@dataclass(frozen=True, slots=True)
class Draw:
    """``cost`` uses of one bucket."""

    bucket: Bucket
    cost: int = 1


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Draws that are made all or none.

    ``within`` is the index of an earlier withdrawal without which this one is not
    made either.
    """

    draws: tuple[Draw, ...]
    within: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one withdrawal.

    A refused one names the draw that was too much and the seconds after which it
    would pass; ``refused`` is ``None`` where an outer withdrawal was refused.
    ``remaining`` has the uses left for each draw, once all withdrawals are made, and
    ``reset`` the seconds until its bucket is full again.
    """

    is_allowed: bool
    remaining: tuple[int, ...]
    reset: tuple[float, ...]
    refused: int | None = None
    retry_after: float = 0.0


class Store(Protocol):
    """Keeps values, tags and buckets; every call may raise ``StoreError``."""

    @property
    def is_shared(self) -> bool:
        """Tell whether other processes see the same store."""
        ...

    async def get_many(self, keys: Sequence[str], tags: Sequence[str] = ()) -> Found:
        """Return the values of the keys and the stamps of the tags."""
        ...

    async def set_many(self, values: Mapping[str, bytes], ttl: float) -> None:
        """Keep values for ``ttl`` seconds at most."""
        ...

    async def delete_many(self, keys: Sequence[str]) -> None:
        """Drop keys that are there."""
        ...

    async def invalidate(self, tags: Sequence[str]) -> None:
        """Change the stamps of the tags."""
        ...

    async def take(self, withdrawals: Sequence[Withdrawal]) -> list[Verdict]:
        """Decide all withdrawals together, in order, as one step."""
        ...

    async def give_back(self, draws: Sequence[Draw]) -> None:
        """Return what was drawn and not used; a bucket never overflows."""
        ...

    async def aclose(self) -> None:
        """Let go of connections."""
        ...
