"""What a gRPC service says of its own messages and methods.

See https://github.com/grpc/grpc/blob/master/doc/server-reflection.md.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Final, cast

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from grpc_reflection.v1alpha import reflection_pb2

from graphgw.errors import SourceBadAnswerError, SourceError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from graphgw.context import RequestContext
    from graphgw.sources.grpc_service import GRPCService

__all__ = ["read_descriptors"]

_PATHS: Final = (
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
)
_SECONDS: Final = 5.0
_MAX_FILES: Final = 1000


async def read_descriptors(
    service: GRPCService, symbol: str, context: RequestContext
) -> FileDescriptorSet:
    """Return the files that declare a symbol, and all that they import.

    Args:
        service: Is asked; it has to have reflection.
        symbol: A service's or a method's full name.
        context: Whose the calls are.

    Raises:
        SourceError: The service does not answer, or does not know the symbol.
    """
    request = reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol)
    files = {f.name: f for f in await _ask(service, request, context)}
    missing = _missing(files)
    while missing and len(files) < _MAX_FILES:
        for name in missing:
            request = reflection_pb2.ServerReflectionRequest(file_by_filename=name)
            files.update({f.name: f for f in await _ask(service, request, context)})
        missing = _missing(files)
    return FileDescriptorSet(file=files.values())


def _missing(files: dict[str, FileDescriptorProto]) -> list[str]:
    imports = (name for file in files.values() for name in file.dependency)
    return [name for name in dict.fromkeys(imports) if name not in files]


async def _ask(
    service: GRPCService,
    request: reflection_pb2.ServerReflectionRequest,
    context: RequestContext,
) -> list[FileDescriptorProto]:
    """Ask in the newer version of the protocol, then in the older one."""
    newer, older = _PATHS
    try:
        return await _ask_at(newer, service, request, context)
    except SourceError as error:
        if error.grpc_code != "UNIMPLEMENTED":
            raise
    return await _ask_at(older, service, request, context)


async def _ask_at(
    path: str,
    service: GRPCService,
    request: reflection_pb2.ServerReflectionRequest,
    context: RequestContext,
) -> list[FileDescriptorProto]:
    answers = service.stream(
        path,
        request.SerializeToString(),
        reflection_pb2.ServerReflectionResponse.FromString,
        context,
        timeout=_SECONDS,
    )
    closing = cast(
        "AsyncGenerator[reflection_pb2.ServerReflectionResponse, None]", answers
    )
    async with aclosing(closing) as messages:
        async for message in messages:
            if message.HasField("error_response"):
                break
            found = message.file_descriptor_response.file_descriptor_proto
            return [FileDescriptorProto.FromString(content) for content in found]
    name = service.settings.name
    raise SourceBadAnswerError(
        f'service "{name}" does not tell of itself what it was asked', source=name
    )
