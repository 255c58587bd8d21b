"""Events as log lines: one line for each operation, failure and reload."""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, TextIO

import orjson

from graphgw.errors import ConfigurationError, RateLimitedError
from graphgw.telemetry.events import (
    AddressChanged,
    InternalFailure,
    OperationFinished,
    RateLimitDecided,
    RouteFinished,
    SelectionRefused,
    SnapshotSwapped,
)
from graphgw.telemetry.operation_lines import OperationLines, operation_fields
from graphgw.telemetry.route_lines import RouteLines, route_fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphgw.telemetry.events import Event

__all__ = ["LogObserver"]

_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_COLOURS: Final = {"info": "32", "warning": "33", "error": "31"}
_MOMENT: Final = orjson.OPT_UTC_Z
_WRITE_SECONDS: Final = 0.05
_MAX_LINES: Final = 1000


class LogObserver:
    """Writes a line for each operation, failure and reload.

    In an event loop the lines of 50 ms are written together, at once when something
    failed; a process that is killed takes those with it that were not written yet.

    Args:
        log_format: ``json`` for machines, ``console`` for people.
        level: The lowest level that is written.
        file: Where to; standard output by default.
    """

    def __init__(
        self,
        log_format: Literal["json", "console"] = "json",
        level: str = "info",
        file: TextIO | None = None,
    ) -> None:
        self._file = file or sys.stdout
        self._is_json = log_format == "json"
        self._is_coloured = self._file.isatty() or "FORCE_COLOR" in os.environ
        self._lowest = _LEVELS[level]
        self._lines: list[str] = []
        self._operations = OperationLines()
        self._routes = RouteLines()
        self.takers: dict[type[Any], Callable[[Any], None]] = {
            OperationFinished: (
                self._on_operation if self._is_json else self._show_operation
            ),
            RouteFinished: self._on_route,
            InternalFailure: self._on_failure,
            SnapshotSwapped: self._on_swap,
            AddressChanged: self._on_address,
            SelectionRefused: self._on_refused,
            RateLimitDecided: self._on_rate,
        }
        if self._lowest > _LEVELS["info"]:
            del self.takers[OperationFinished], self.takers[RouteFinished]
            del self.takers[SelectionRefused], self.takers[RateLimitDecided]

    def observe(self, event: Event) -> None:
        """Write the line of one event, if it has one."""
        taker = self.takers.get(type(event))
        if taker is not None:
            taker(event)

    def flush(self) -> None:
        """Write what waits to be written."""
        lines, self._lines = self._lines, []
        if lines:
            self._file.write("".join(lines))
            self._file.flush()

    def _on_operation(self, event: OperationFinished) -> None:
        self._append(self._operations.write(event))

    def _show_operation(self, event: OperationFinished) -> None:
        fields = operation_fields(event)
        if event.subject is not None:
            fields["subject"] = event.subject
        if event.ip is not None:
            fields["ip"] = event.ip
        if event.error_codes:
            fields["errors"] = event.error_codes
        self._write("info", "operation", fields)

    def _on_route(self, event: RouteFinished) -> None:
        if self._is_json:
            self._append(self._routes.write(event))
        else:
            self._write("info", "request", route_fields(event))

    def _on_failure(self, event: InternalFailure) -> None:
        fields = {"where": event.where, "request_id": event.request_id}
        if isinstance(event.error, ConfigurationError):  # where it came up is no matter
            fields["error"] = event.error.message
        else:
            fields["exception"] = "".join(traceback.format_exception(event.error))
        self._write("error", "failure", fields)

    def _on_refused(self, event: SelectionRefused) -> None:
        if event.is_shadow:  # what is refused in earnest stands in the answer's line
            fields = {"coordinate": event.coordinate, "code": event.code}
            self._write_shadow(event, fields)

    def _on_rate(self, event: RateLimitDecided) -> None:
        if event.is_shadow and not event.is_allowed:
            fields = {"bucket": event.bucket, "code": RateLimitedError.code}
            self._write_shadow(event, fields)

    def _write_shadow(
        self, event: SelectionRefused | RateLimitDecided, fields: dict[str, Any]
    ) -> None:
        if event.request_id:
            fields["request_id"] = event.request_id
        if event.subject is not None:
            fields["subject"] = event.subject
        self._write("info", "would refuse", fields)

    def _on_address(self, event: AddressChanged) -> None:
        level = "info" if event.change in {"returned", "healthy"} else "warning"
        fields = {"source": event.source, "address": event.address}
        self._write(level, f"address {event.change}", fields)

    def _on_swap(self, event: SnapshotSwapped) -> None:
        if event.error:
            self._write("error", "reload failed", {"error": event.error})
        else:
            fields: dict[str, Any] = {"hash": event.supergraph_hash}
            if event.warmed_up or event.unfit:
                fields.update(warmed_up=event.warmed_up, unfit=event.unfit)
            self._write("info", "schema", fields)

    def _write(self, level: str, what: str, fields: dict[str, Any]) -> None:
        if _LEVELS[level] < self._lowest:
            return
        now = datetime.now(UTC)
        if self._is_json:
            record = {"timestamp": now, "level": level, "event": what, **fields}
            line = orjson.dumps(record, default=repr, option=_MOMENT).decode() + "\n"
        else:
            line = self._console_line(now, level, what, fields)
        self._append(line)
        if level == "error" and self._lines:
            self.flush()

    def _append(self, line: str) -> None:
        lines = self._lines
        lines.append(line)
        if len(lines) == 1:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                self.flush()
            else:
                loop.call_later(_WRITE_SECONDS, self.flush)
        elif len(lines) >= _MAX_LINES:
            self.flush()

    def _console_line(
        self, now: datetime, level: str, what: str, fields: dict[str, Any]
    ) -> str:
        exception = fields.pop("exception", "")
        shown = " ".join(
            f"{name}={_quote(value)}"
            for name, value in fields.items()
            if value is not None
        )
        mark = f"{level:<7}"
        if self._is_coloured:
            mark = f"\x1b[{_COLOURS[level]}m{mark}\x1b[0m"
        return f"{now:%H:%M:%S} {mark} {what} {shown}\n{exception}"


def _quote(value: object) -> str:
    """Write a value so that it stays in its line and among its neighbours."""
    text = ",".join(value) if isinstance(value, tuple) else str(value)
    return repr(text) if " " in text or not text.isprintable() else text
