"""Events as structured log lines: one line for each operation."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal, TextIO

import orjson
import structlog

from graphgw.telemetry.events import (
    InternalFailure,
    OperationFinished,
    SnapshotSwapped,
)

if TYPE_CHECKING:
    from graphgw.telemetry.events import Event

__all__ = ["LogObserver"]

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def _to_json(record: dict[str, Any], **_options: Any) -> str:
    return orjson.dumps(record, default=repr).decode()


class LogObserver:
    """Writes a line for each operation, failure and reload.

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
        processors: list[Any] = [
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ]
        if log_format == "json":
            processors += [
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(serializer=_to_json),
            ]
        else:
            processors.append(structlog.dev.ConsoleRenderer(pad_event_to=0))
        self._log = structlog.wrap_logger(
            structlog.PrintLogger(file or sys.stdout),
            processors=processors,
            wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        )

    def observe(self, event: Event) -> None:
        """Write the line of one event, if it has one."""
        if isinstance(event, OperationFinished):
            self._on_operation(event)
        elif isinstance(event, InternalFailure):
            self._log.error(
                "failure",
                where=event.where,
                request_id=event.request_id,
                exc_info=event.error,
            )
        elif isinstance(event, SnapshotSwapped):
            self._on_swap(event)

    def _on_operation(self, event: OperationFinished) -> None:
        fields: dict[str, Any] = {
            "kind": event.kind,
            "name": event.name,
            "ms": round(event.seconds * 1000, 2),
            "status": event.status,
            "fetches": event.fetches,
            "request_id": event.request_id,
            "fingerprint": event.fingerprint,
            "client": event.client_name,
            "client_version": event.client_version,
            "subject": event.subject,
            "ip": event.ip,
        }
        if event.error_codes:
            fields["errors"] = event.error_codes
        self._log.info(
            "operation", **{k: v for k, v in fields.items() if v is not None}
        )

    def _on_swap(self, event: SnapshotSwapped) -> None:
        if event.error:
            self._log.error("reload failed", error=event.error)
        else:
            self._log.info("schema", hash=event.supergraph_hash)
