"""Count what a service is asked, so that people and tests can see batching."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CallLog", "EndpointCalls"]


@dataclass(slots=True)
class EndpointCalls:
    """The calls of one endpoint, and what came with the last of them."""

    calls: int = 0
    keys: int = 0
    """How many ids the calls named, all together."""
    with_deadline: int = 0
    last_timeout_ms: int | None = None
    last_headers: Mapping[str, str] = field(default_factory=dict)


class CallLog:
    """The calls of one service since its start or the last reset."""

    def __init__(self, *, delay: float = 0.0) -> None:
        """Start at zero.

        Args:
            delay: Seconds that every call waits, as if the service were slow.
        """
        self._delay = delay
        self._endpoints: dict[str, EndpointCalls] = {}

    @property
    def endpoints(self) -> Mapping[str, EndpointCalls]:
        """What was counted, by endpoint."""
        return self._endpoints

    async def arrived(
        self,
        endpoint: str,
        *,
        keys: int,
        headers: Mapping[str, str],
        timeout_ms: int | None,
    ) -> None:
        """Count a call, before it is answered, then wait for the delay if there is one.

        Args:
            endpoint: The endpoint's name, as people write it.
            keys: How many ids the call names.
            headers: The call's headers or metadata.
            timeout_ms: Milliseconds that are left for the answer, if the caller said.
        """
        counted = self._endpoints.setdefault(endpoint, EndpointCalls())
        counted.calls += 1
        counted.keys += keys
        counted.with_deadline += timeout_ms is not None
        counted.last_timeout_ms = timeout_ms
        counted.last_headers = headers
        if self._delay:
            await asyncio.sleep(self._delay)

    def reset(self) -> None:
        """Forget all calls."""
        self._endpoints.clear()
