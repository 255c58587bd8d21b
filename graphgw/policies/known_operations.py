"""What policies know of an operation alone, found once for each fingerprint."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from graphgw.operations.cache import BoundedCache
from graphgw.policies.cache_invalidation import find_invalidations
from graphgw.policies.guards import build_guards
from graphgw.policies.response_cache_control import compute_cache_control

if TYPE_CHECKING:
    from graphgw.federation.supergraph import Supergraph
    from graphgw.operations.operation import Operation
    from graphgw.policies.auth_rules import FieldRules
    from graphgw.policies.cache_invalidation import Invalidation
    from graphgw.policies.cost import CostProgram
    from graphgw.policies.cost_policy import CostPolicy
    from graphgw.policies.guards import Guards
    from graphgw.policies.rate_rules import RateRules
    from graphgw.policies.response_cache_control import ResponseCacheControl
    from graphgw.policies.sunset import SunsetPolicy
    from graphgw.policies.sunset_uses import SunsetUses

__all__ = ["KnownOperation", "KnownOperations"]

_OPERATIONS: Final = 4000
_OPERATION_BYTES: Final = 32 * 1024 * 1024
_GUARD_BYTES: Final = 1000
_AT_HAND: Final = 500


@dataclass(frozen=True, slots=True)
class KnownOperation:
    """What depends on an operation alone."""

    guards: Guards
    headers: tuple[tuple[str, str], ...]
    private_headers: tuple[tuple[str, str], ...]
    cost: CostProgram | None
    invalidations: tuple[Invalidation, ...]
    uses: SunsetUses
    public: ResponseCacheControl | None

    @property
    def is_guarded(self) -> bool:
        """Whether there is something to decide, whoever asks."""
        return bool(self.guards.guards or self.invalidations or self.uses)


class KnownOperations:
    """Operations of one supergraph that were asked; usable from any thread.

    Args:
        supergraph: The graph whose rules are looked for.
        auth_rules: Who may select what of it.
        rate_rules: How often.
        cost: Prepares the estimate.
        sunset: Finds the uses of what is deprecated.
        has_hints: Whether the schema says how long answers may be kept.
    """

    def __init__(
        self,
        supergraph: Supergraph,
        auth_rules: FieldRules,
        rate_rules: RateRules,
        *,
        cost: CostPolicy,
        sunset: SunsetPolicy,
        has_hints: bool,
    ) -> None:
        self._supergraph = supergraph
        self._auth_rules = auth_rules
        self._rate_rules = rate_rules
        self._cost = cost
        self._sunset = sunset
        self._has_hints = has_hints
        self._at_hand: dict[str, KnownOperation] = {}
        """Some of those known, to be found without the lock."""
        self.bare: set[str] = set()
        """Fingerprints of some that no rule and no hint of the schema concerns."""
        self._lock = threading.Lock()
        self._known: BoundedCache[str, KnownOperation] = BoundedCache(
            max_entries=_OPERATIONS, max_bytes=_OPERATION_BYTES
        )

    def know(self, operation: Operation) -> KnownOperation:
        """Return what is known of an operation; find it the first time."""
        key = operation.fingerprint
        known = self._at_hand.get(key)
        if known is None:
            known = self._look_up(operation)
            if len(self._at_hand) >= _AT_HAND:
                self._at_hand.clear()
                self.bare.clear()
            self._at_hand[key] = known
            if not (known.is_guarded or known.headers):
                self.bare.add(key)
        return known

    def _look_up(self, operation: Operation) -> KnownOperation:
        key = operation.fingerprint
        with self._lock:
            known = self._known.get(key)
        if known is None:
            known = self._find(operation)
            size = _GUARD_BYTES * (1 + len(known.guards.guards))
            with self._lock:
                self._known.put(key, known, size)
        return known

    def _find(self, operation: Operation) -> KnownOperation:
        supergraph = self._supergraph
        guards = build_guards(operation, supergraph, self._auth_rules, self._rate_rules)
        headers: tuple[tuple[str, str], ...] = ()
        private_headers, public = headers, None
        if self._has_hints:
            control = compute_cache_control(operation, supergraph)
            if control is not None:
                # A guarded answer depends on who asks, whatever its parts declare.
                control = control.as_private() if guards.auth else control
                headers = control.headers()
                private_headers = control.as_private().headers()
                if control.max_age > 0 and not control.is_private:
                    public = control
        return KnownOperation(
            guards,
            headers,
            private_headers,
            self._cost.prepare(operation),
            find_invalidations(operation, supergraph),
            self._sunset.find(operation),
            public,
        )
