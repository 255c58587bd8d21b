"""What a gRPC service tells of a failure in messages, as JSON.

See https://google.aip.dev/193#error_model.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any, Final

from google.protobuf import descriptor_pool
from google.protobuf.json_format import MessageToDict, SerializeToJsonError
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from google.rpc import (  # type: ignore[import-untyped]  # the library has none
    code_pb2,
    error_details_pb2,
    status_pb2,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.any_pb2 import Any as AnyMessage
    from google.protobuf.descriptor_pool import DescriptorPool

    from graphgw.errors import SourceError
    from graphgw.routes.targets import GRPCTarget
    from graphgw.types import JSON, JSONObject

__all__ = ["describe_details"]

_USUAL: Final = f"{error_details_pb2.DESCRIPTOR.package}."
_DEBUG: Final = error_details_pb2.DebugInfo.DESCRIPTOR.full_name
_FOR_SERVICES: Final = frozenset(
    ("CANCELLED", "DATA_LOSS", "INTERNAL", "UNKNOWN"),
)
"""Statuses by which a service says that the fault is its own."""

_DAMAGED: Final = (DecodeError, RecursionError, SerializeToJsonError, ValueError)


def describe_details(
    error: SourceError, target: GRPCTarget, pool: DescriptorPool
) -> list[JSONObject]:
    """Return the details of a failed call, each with its ``@type``.

    Messages of ``google.rpc``, of protobuf itself and of the service's own files are
    written by the JSON mapping; all others are their bytes in base64. What is damaged,
    or is of another status than the call's, is left out.

    Args:
        error: Has the details as they came.
        target: Says which of them are shown.
        pool: The service's own messages.
    """
    code = error.grpc_code
    shown = target.error_details
    if error.status_details is None or code is None or shown == "none":
        return []
    if shown == "public" and code in _FOR_SERVICES:
        return []
    try:
        status = status_pb2.Status.FromString(error.status_details)
    except DecodeError:
        return []
    if status.code and status.code != code_pb2.Code.Value(code):
        return []
    found = (
        _describe(detail, pool, use_proto_names=target.use_proto_names)
        for detail in status.details
        if shown == "all" or _name(detail) != _DEBUG
    )
    return [detail for detail in found if detail is not None]


def _describe(
    detail: AnyMessage, pool: DescriptorPool, *, use_proto_names: bool
) -> JSONObject | None:
    for known in _pools(detail, pool):
        try:
            kind: Any = GetMessageClass(known.FindMessageTypeByName(_name(detail)))
            message = kind.FromString(detail.value)
        except KeyError:
            continue
        except DecodeError:
            return None
        try:
            found: JSON = MessageToDict(
                message,
                preserving_proto_field_name=use_proto_names,
                descriptor_pool=known,
            )
        except TypeError:  # it holds a message that is not known
            break
        except _DAMAGED:
            return None
        inner = found if isinstance(found, dict) else {"value": found}
        return {"@type": detail.type_url, **inner}
    return {"@type": detail.type_url, "value": b64encode(detail.value).decode()}


def _pools(detail: AnyMessage, pool: DescriptorPool) -> Iterator[DescriptorPool]:
    """Yield where a message can be declared; what else is loaded here is no matter."""
    yield pool
    if _name(detail).startswith((_USUAL, "google.protobuf.")):
        yield descriptor_pool.Default()


def _name(detail: AnyMessage) -> str:
    name: str = detail.type_url.rpartition("/")[2]
    return name
