"""Protobuf's well-known types as Python values."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.json_format import MessageToDict

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["WELL_KNOWN", "to_datetime", "to_json", "to_timedelta", "unwrap"]


def to_datetime(stamp: Any) -> dt.datetime:
    """Return a ``Timestamp`` as a datetime in UTC."""
    made = dt.datetime.fromtimestamp(stamp.seconds, dt.UTC)
    nanos = stamp.nanos
    return made.replace(microsecond=nanos // 1000) if nanos else made


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
