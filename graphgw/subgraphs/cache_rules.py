"""What may be kept of a loader's rows, as a schema's directives say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphgw.directives import CacheControl, CacheScope, CacheTag, Owner, RowPolicy
from graphgw.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["CacheRule", "read_cache_rule"]


@dataclass(frozen=True, slots=True)
class CacheRule:
    """How long rows are kept, for whom and under which tags; times in seconds.

    ``is_private`` is ``None`` where the schema does not say: then rows of a shared
    loader are public and others private. What has a row rule is private.
    ``key_names`` name the parts of a key, for the tags; ``key_sets`` those of them that
    identify an object together, where that is not all. ``row_keys`` are the keys of a
    type that has several: each part, and where it stands in a row.
    """

    coordinate: str
    max_age: float
    is_private: bool | None = None
    swr: float = 0.0
    stale_if_error: float = 0.0
    tags: tuple[str, ...] = ()
    vary: tuple[str, ...] = ()
    key_names: tuple[str, ...] = ()
    key_sets: tuple[tuple[str, ...], ...] = ()
    row_keys: tuple[tuple[tuple[str, tuple[str, ...]], ...], ...] = ()

    def __hash__(self) -> int:
        # Rules are looked up for every batch, and few have one coordinate.
        return hash(self.coordinate)

    @property
    def kept_for(self) -> float:
        """Seconds after which a row is of no use at all."""
        return self.max_age + max(self.swr, self.stale_if_error)


def read_cache_rule(
    coordinate: str, directives: Iterable[object], key_names: Sequence[str] = ()
) -> CacheRule | None:
    """Return the rule that Strawberry directives make, ``None`` if nothing is kept.

    Args:
        coordinate: The entity type (``Order``) or the field (``User.orders``).
        directives: The schema directives of the type or field.
        key_names: The names of the parts of a loader's key.

    Raises:
        ConfigurationError: What has a row rule says that it is public.
    """
    given = tuple(directives)
    control = next((d for d in given if isinstance(d, CacheControl)), None)
    max_age = _seconds(control.max_age) if control else 0.0
    if control is None or max_age <= 0:
        return None
    return CacheRule(
        coordinate=coordinate,
        max_age=max_age,
        is_private=_is_private(coordinate, control, given),
        swr=_seconds(control.swr),
        stale_if_error=_seconds(control.stale_if_error),
        tags=tuple(tag.format for tag in given if isinstance(tag, CacheTag)),
        vary=tuple(sorted(name.lower() for name in control.vary or ())),
        key_names=tuple(key_names),
    )


def _is_private(
    coordinate: str, control: CacheControl, given: tuple[object, ...]
) -> bool | None:
    scope = control.scope if isinstance(control.scope, CacheScope) else None
    if any(isinstance(d, Owner | RowPolicy) for d in given):
        if scope is CacheScope.PUBLIC:
            problem = Problem(
                "a row rule and a PUBLIC cache contradict each other", coordinate
            )
            raise ConfigurationError([problem])
        return True
    return None if scope is None else scope is CacheScope.PRIVATE


def _seconds(value: object) -> float:
    # An argument that was left out is neither a number nor None.
    return float(value) if isinstance(value, int) else 0.0
