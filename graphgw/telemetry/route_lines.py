"""A request at a route as one line of JSON; what requests share is encoded once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import orjson

from graphgw.telemetry.operation_lines import Timestamps

if TYPE_CHECKING:
    from graphgw.telemetry.events import RouteFinished

__all__ = ["RouteLines", "route_fields"]

_quote: Final = json.encoder.encode_basestring_ascii


def route_fields(event: RouteFinished) -> dict[str, Any]:
    """Return the fields of a line."""
    fields: dict[str, Any] = {
        "route": event.route,
        "method": event.method,
        "status": event.status,
        "ms": round(event.seconds * 1000, 2),
        "request_id": event.request_id,
    }
    if event.subject is not None:
        fields["subject"] = event.subject
    if event.ip is not None:
        fields["ip"] = event.ip
    if event.error_code is not None:
        fields["errors"] = (event.error_code,)
    if not event.is_whole:
        fields["broken"] = True
    return fields


class RouteLines:
    """Writes the lines of requests at routes.

    Routes, methods and statuses are few: what stands of them is kept.
    """

    __slots__ = ("_begins", "_timestamps")

    def __init__(self) -> None:
        self._begins: dict[tuple[str, str, int], str] = {}
        self._timestamps = Timestamps()

    def write(self, event: RouteFinished) -> str:
        """Return the line, with its end."""
        key = (event.route, event.method, event.status)
        begin = self._begins.get(key)
        if begin is None:
            begin = self._begins[key] = _begin(event)
        rest = ""
        if event.subject is not None:
            rest = f',"subject":{_quote(event.subject)}'
        if event.ip is not None:
            rest += f',"ip":{_quote(event.ip)}'
        if event.error_code is not None:
            rest += f',"errors":["{event.error_code}"]'
        if not event.is_whole:
            rest += ',"broken":true'
        return (
            f'{{"timestamp":"{self._timestamps.now()}"{begin}'
            f'{event.seconds * 1000:.2f},"request_id":{_quote(event.request_id)}'
            f"{rest}}}\n"
        )


def _begin(event: RouteFinished) -> str:
    shared = {"route": event.route, "method": event.method, "status": event.status}
    text = orjson.dumps(shared).decode()[1:-1]
    return f',"level":"info","event":"request",{text},"ms":'
