"""What the trailers of a failed gRPC call tell beside its status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    message_factory,
)
from google.protobuf.message import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.protobuf.message import Message

__all__ = ["find_status_details", "read_retry_after"]

_PUSHBACK: Final = "grpc-retry-pushback-ms"
_DETAILS: Final = "grpc-status-details-bin"
_RETRY_INFO: Final = "/google.rpc.RetryInfo"


def read_retry_after(trailers: Iterable[Any] | None) -> float | None:
    """Return the seconds that a failed call's trailers ask to wait.

    Both ways are understood: the pushback of gRPC's own retries, and
    ``google.rpc.RetryInfo`` among the status details.
    See https://google.aip.dev/194 and gRFC A6.
    """
    for name, value in trailers or ():
        if name == _PUSHBACK and str(value).isdigit():
            return int(value) / 1000
        if name == _DETAILS:
            return _read_details(value)
    return None


def find_status_details(trailers: Iterable[Any] | None) -> bytes | None:
    """Return the serialized ``google.rpc.Status`` of a failed call's trailers."""
    for name, value in trailers or ():
        if name == _DETAILS and isinstance(value, bytes) and value:
            return value
    return None


def _read_details(value: bytes) -> float | None:
    try:
        status: Any = _Status.FromString(value)
        for detail in status.details:
            if detail.type_url.endswith(_RETRY_INFO):
                info: Any = _RetryInfo.FromString(detail.value)
                delay = info.retry_delay
                return max(0.0, float(delay.seconds + delay.nanos / 1e9))
    except DecodeError:
        return None
    return None


def _build_messages() -> tuple[type[Message], type[Message]]:
    """Describe the two messages that the protobuf package does not carry itself."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="graphgw/status.proto",
        package="graphgw.status",
        syntax="proto3",
        dependency=["google/protobuf/any.proto", "google/protobuf/duration.proto"],
    )
    status = file.message_type.add(name="Status")
    status.field.add(
        name="details",
        number=3,
        label=field.LABEL_REPEATED,
        type=field.TYPE_MESSAGE,
        type_name=".google.protobuf.Any",
    )
    retry_info = file.message_type.add(name="RetryInfo")
    retry_info.field.add(
        name="retry_delay",
        number=1,
        label=field.LABEL_OPTIONAL,
        type=field.TYPE_MESSAGE,
        type_name=".google.protobuf.Duration",
    )
    pool = descriptor_pool.DescriptorPool()
    for dependency in (any_pb2, duration_pb2):
        pool.AddSerializedFile(dependency.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    find = pool.FindMessageTypeByName
    return (
        message_factory.GetMessageClass(find("graphgw.status.Status")),
        message_factory.GetMessageClass(find("graphgw.status.RetryInfo")),
    )


_Status, _RetryInfo = _build_messages()
