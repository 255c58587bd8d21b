"""A library's gRPC service, with ``google.api.http`` annotations, made at run time."""

from __future__ import annotations

import asyncio
import tempfile
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import google.api
import grpc.aio
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_reflection.v1alpha import reflection
from grpc_tools import protoc

from graphgw.transcoding.descriptors import Descriptors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["SERVICE", "LibraryService", "library_files"]

SERVICE = "library.v1.Library"
HERE = Path(__file__).parent
GOOGLE = Path(next(iter(google.api.__path__))).parents[1]


@cache
def library_files() -> FileDescriptorSet:
    """Compile the ``.proto`` file beside this module."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "library.binpb"
        code = protoc.main(
            [
                "protoc",
                f"--proto_path={HERE}",
                f"--proto_path={GOOGLE}",
                f"--proto_path={files('grpc_tools') / '_proto'}",
                "--include_imports",
                f"--descriptor_set_out={output}",
                "annotated.proto",
            ]
        )
        assert code == 0
        return FileDescriptorSet.FromString(output.read_bytes())


class LibraryService(grpc.GenericRpcHandler):
    """Answers every method with a book that tells what it was asked.

    ``asked`` are the requests by method; ``fails`` has what is
    told of what fails: status, words, trailers.
    """

    def __init__(self, *, has_reflection: bool = False) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.metadata: list[dict[str, str]] = []
        self.fails: dict[str, tuple[Any, ...]] = {}
        self.cancelled = 0
        self.port = 0
        self._descriptors = Descriptors(library_files())
        self._has_reflection = has_reflection

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; on the same port as before, if there was one."""
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((self,))
        if self._has_reflection:
            names = (SERVICE, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(
                names, self._server, self._descriptors.pool
            )
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self._server.start()

    async def stop(self) -> None:
        """End at once."""
        await self._server.stop(0)

    def service(self, call_details: Any) -> Any:
        if not call_details.method.startswith(f"/{SERVICE}/"):
            return None
        method = self._descriptors.method(call_details.method)
        kinds = [
            self._descriptors.message_class(kind)
            for kind in (method.input_type, method.output_type)
        ]
        options = {
            "request_deserializer": kinds[0].FromString,
            "response_serializer": kinds[1].SerializeToString,
        }
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(self._stream, **options)
        handler = self._unary(method.name, kinds[1])
        return grpc.unary_unary_rpc_method_handler(handler, **options)

    def _unary(self, name: str, kind: Any) -> Any:
        async def answer(request: Any, context: Any) -> Any:
            await self._note(name, request, context)
            book = {"name": str(request.name if hasattr(request, "name") else name)}
            return kind(books=[book]) if name == "ListBooks" else kind(**book)

        return answer

    async def _stream(self, request: Any, context: Any) -> AsyncIterator[Any]:
        await self._note("Watch", request, context)
        method = self._descriptors.method(f"{SERVICE}/Watch")
        kind = self._descriptors.message_class(method.output_type)
        try:
            number = 0
            while not request.first or number < request.first:
                number += 1
                yield kind(name=f"book-{number}", copies=number)
                if not request.first and number > 2:
                    await asyncio.Event().wait()  # until it is cancelled
            if "Watch:end" in self.fails:
                await context.abort(*self.fails["Watch:end"])
        finally:
            self.cancelled += 1

    async def _note(self, name: str, request: Any, context: Any) -> None:
        self.asked.append((name, request))
        self.metadata.append(dict(context.invocation_metadata()))
        if name in self.fails:
            await context.abort(*self.fails[name])
