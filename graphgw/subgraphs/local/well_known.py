"""Protobuf's well-known types as Python values."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.json_format import MessageToDict

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "WELL_KNOWN",
    "stamp_text",
    "to_datetime",
    "to_json",
    "to_timedelta",
    "unwrap",
]


def to_datetime(stamp: Any) -> dt.datetime:
    """Return a ``Timestamp`` as a datetime in UTC."""
    made = dt.datetime.fromtimestamp(stamp.seconds, dt.UTC)
    nanos = stamp.nanos
    return made.replace(microsecond=nanos // 1000) if nanos else made


class _Days(dict[int, str]):
    """ISO 8601 dates by days since 1970, each written once."""

    def __missing__(self, day: int) -> str:
        if len(self) >= _KEPT_DAYS:
            self.clear()
        text = self[day] = dt.date.fromordinal(_FIRST_DAY + day).isoformat()
        return text


def stamp_text(seconds: int, nanos: int) -> str:
    """Return a ``Timestamp``'s ISO 8601 text, that of its datetime in UTC.

    Raises:
        ValueError: The year has not four digits.
    """
    day, second = divmod(seconds, _DAY)
    minute = _MINUTES[second // 60]
    if nanos < _MICROSECOND:
        return f"{_days[day]}{minute}{_SECONDS[second % 60]}"
    return f"{_days[day]}{minute}{second % 60:02}.{nanos // _MICROSECOND:06}+00:00"


def to_timedelta(duration: Any) -> dt.timedelta:
    """Return a ``Duration`` as a timedelta."""
    return dt.timedelta(
        seconds=duration.seconds, microseconds=round(duration.nanos / 1000)
    )


def unwrap(wrapper: Any) -> Any:
    """Return what a wrapper such as ``StringValue`` holds."""
    return wrapper.value


def to_json(message: Any) -> Any:
    """Return a ``Struct``, ``Value`` or ``ListValue`` as JSON."""
    return MessageToDict(message)


_DAY: Final = 86_400
_FIRST_DAY: Final = dt.date(1970, 1, 1).toordinal()
_KEPT_DAYS: Final = 4096
_MICROSECOND: Final = 1000
_MINUTES: Final = tuple(f"T{h:02}:{m:02}:" for h in range(24) for m in range(60))
_SECONDS: Final = tuple(f"{second:02}+00:00" for second in range(60))
_days: Final = _Days()

WELL_KNOWN: Final[Mapping[str, Any]] = {
    "google.protobuf.Timestamp": to_datetime,
    "google.protobuf.Duration": to_timedelta,
    "google.protobuf.Struct": to_json,
    "google.protobuf.Value": to_json,
    "google.protobuf.ListValue": to_json,
} | {
    f"google.protobuf.{kind}Value": unwrap
    for kind in (
        "Bool",
        "Bytes",
        "Double",
        "Float",
        "Int32",
        "Int64",
        "String",
        "UInt32",
        "UInt64",
    )
}
"""What makes a Python value of a message, by the message's full name."""
