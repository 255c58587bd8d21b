"""A route to a gRPC service, with the descriptors that a file or the service has."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from graphgw.context import RequestContext
from graphgw.errors import ConfigurationError, Problem, SourceError
from graphgw.sources.grpc_reflection import read_descriptors
from graphgw.transcoding.descriptors import read_descriptor_file
from graphgw.transcoding.handler import TranscodingHandler
from graphgw.transcoding.open_transcoding import open_transcoding
from graphgw.types import Deadline

if TYPE_CHECKING:
    from graphgw.routes.settings import RouteSettings
    from graphgw.routes.targets import GRPCTarget
    from graphgw.sources.grpc_service import GRPCService
    from graphgw.transcoding.handler import Transcoding

__all__ = ["open_grpc_route", "read_transcoding"]

_SECONDS: Final = 5.0
"""How long the start waits for what a service says of itself."""


def read_transcoding(route: RouteSettings, target: GRPCTarget) -> Transcoding | None:
    """Return the calls that a descriptor file declares; ``None`` where there is none.

    Raises:
        ConfigurationError: File and route do not fit together.
    """
    if target.descriptors is None:
        return None
    where = f"routes.{route.name}.grpc.descriptors"
    return open_transcoding(
        route, target, read_descriptor_file(target.descriptors, where)
    )


async def open_grpc_route(
    route: RouteSettings, service: GRPCService
) -> TranscodingHandler:
    """Return the handler of a route to a gRPC service.

    A service that has to tell of itself and does not answer is asked again by the
    first request.

    Args:
        route: Names the service, and perhaps its descriptors.
        service: Is called.

    Raises:
        ConfigurationError: Route and descriptors do not fit together.
    """
    target = route.grpc
    if target is None:
        problem = Problem("it names no gRPC service", f"routes.{route.name}")
        raise ConfigurationError([problem])
    known = await asyncio.to_thread(read_transcoding, route, target)
    if known is not None:
        return TranscodingHandler(route, target, service, known)

    async def learn(context: RequestContext) -> Transcoding:
        files = FileDescriptorSet()
        for name in _symbols(target):
            found = await read_descriptors(service, name, context)
            names = {file.name for file in files.file}
            files.file.extend(file for file in found.file if file.name not in names)
        return open_transcoding(route, target, files)

    try:
        async with asyncio.timeout(_SECONDS):
            known = await learn(RequestContext(deadline=Deadline.after(_SECONDS)))
    except (SourceError, TimeoutError):
        known = None
    return TranscodingHandler(route, target, service, known, learn)


def _symbols(target: GRPCTarget) -> tuple[str, ...]:
    if target.method is None:
        return target.interface
    return (target.method.strip("/").partition("/")[0],)
