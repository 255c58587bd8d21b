"""An operation as one line of JSON; what operations have in common is encoded once."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

if TYPE_CHECKING:
    from graphgw.telemetry.events import OperationFinished

__all__ = ["OperationLines", "Timestamps", "operation_fields"]

_MAX_LAYOUTS: Final = 1000
_quote: Final = json.encoder.encode_basestring_ascii


def operation_fields(event: OperationFinished) -> dict[str, Any]:
    """Return the fields of a line, without those that tell who asked, and errors."""
    fields: dict[str, Any] = {
        "kind": event.kind,
        "name": event.name,
        "ms": round(event.seconds * 1000, 2),
        "status": event.status,
        "fetches": event.fetches,
        "request_id": event.request_id,
        "fingerprint": event.fingerprint,
    }
    if event.variant is not None:
        fields["variant"] = event.variant
    if event.client_name is not None:
        fields["client"] = event.client_name
        fields["client_version"] = event.client_version
    return fields


class _Layout(NamedTuple):
    """What stands after the timestamp, after the time taken and after the name."""

    begin: str
    middle: str
    end: str


class OperationLines:
    """Writes the lines of operations.

    Clients choose names, so that layouts are dropped when there are too many.
    """

    __slots__ = ("_layouts", "_timestamps")

    def __init__(self) -> None:
        self._layouts: dict[tuple[object, ...], _Layout] = {}
        self._timestamps = Timestamps()

    def write(self, event: OperationFinished) -> str:
        """Return the line, with its end."""
        key = (
            event.name,
            event.status,
            event.fetches,
            event.fingerprint,
            event.kind,
            event.variant,
            event.client_name,
            event.client_version,
        )
        layout = self._layouts.get(key)
        if layout is None:
            if len(self._layouts) >= _MAX_LAYOUTS:
                self._layouts.clear()
            layout = self._layouts[key] = _lay_out(event)
        begin, middle, end = layout
        asked_by = ""
        if event.subject is not None:
            asked_by = f',"subject":{_quote(event.subject)}'
        if event.ip is not None:
            asked_by += f',"ip":{_quote(event.ip)}'
        errors = event.error_codes and _member("errors", event.error_codes)
        return (
            f'{{"timestamp":"{self._timestamps.now()}"{begin}'
            f"{event.seconds * 1000:.2f}{middle}{_quote(event.request_id)}"
            f"{end}{asked_by}{errors or ''}}}\n"
        )


def _lay_out(event: OperationFinished) -> _Layout:
    fields = operation_fields(event)
    names = list(fields)
    members = [_member(name, value) for name, value in fields.items()]
    time_taken, request_id = names.index("ms"), names.index("request_id")
    return _Layout(
        ',"level":"info","event":"operation"'
        + "".join(members[:time_taken])
        + ',"ms":',
        "".join(members[time_taken + 1 : request_id]) + ',"request_id":',
        "".join(members[request_id + 1 :]),
    )


def _member(name: str, value: object) -> str:
    return f',"{name}":{orjson.dumps(value).decode()}'


class Timestamps:
    """The time in UTC as text; what holds for a whole second is kept for it."""

    __slots__ = ("_second", "_text")

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def now(self) -> str:
        """Return the time now."""
        moment = time.time()
        second = int(moment)
        if second != self._second:
            self._second = second
            self._text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._text}.{int((moment - second) * 1_000_000):06d}Z"
