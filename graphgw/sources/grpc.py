"""What resolvers write to call a gRPC service: its name and its generated stub."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from graphgw.sources.batches import (
    BatchFunction,
    align_groups,
    align_rows,
    call_in_parts,
)

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Callable,
        Coroutine,
        Iterable,
        Sequence,
    )

    import grpc.aio
    from google.protobuf.message import Message

    from graphgw.context import RequestContext
    from graphgw.sources.grpc_service import GRPCService

__all__ = ["GRPCSource", "StreamMethod", "UnaryMethod", "grpc_source"]

S = TypeVar("S")
RequestT = TypeVar("RequestT")
AnswerT = TypeVar("AnswerT")


@dataclass(frozen=True, slots=True)
class _Method:
    """One method as the generated stub describes it."""

    path: str
    serialize: Callable[[Any], bytes]
    parse: Callable[[bytes], Any]
    is_stream: bool = False


class UnaryMethod(Generic[RequestT, AnswerT]):
    """A method that answers once: ``await method(request, context)``."""

    __slots__ = ("_is_idempotent", "_method", "_name")

    def __init__(self, name: str, method: _Method, *, is_idempotent: bool) -> None:
        self._name = name
        self._method = method
        self._is_idempotent = is_idempotent

    def __call__(
        self,
        request: RequestT,
        context: RequestContext,
        *,
        idempotent: bool | None = None,
        timeout: float | None = None,
    ) -> Coroutine[Any, Any, AnswerT]:
        """Call the method; to be awaited.

        Args:
            request: The message to send.
            context: The request's context; gives deadline and metadata.
            idempotent: Whether it may be tried again; the source knows by default.
            timeout: Seconds, if fewer than the service's.

        Raises:
            SourceError: The call failed.
        """
        method = self._method
        service: GRPCService = context.sources.grpc(self._name)
        return service.unary(
            method.path,
            method.serialize(request),
            method.parse,
            context,
            is_idempotent=self._is_idempotent if idempotent is None else idempotent,
            timeout=timeout,
        )


class StreamMethod(Generic[RequestT, AnswerT]):
    """A method that answers many times: ``async for message in method(...)``."""

    __slots__ = ("_method", "_name")

    def __init__(self, name: str, method: _Method) -> None:
        self._name = name
        self._method = method

    def __call__(
        self,
        request: RequestT,
        context: RequestContext,
        *,
        timeout: float | None = None,
    ) -> AsyncIterator[AnswerT]:
        """Open the stream; it has no deadline but ``timeout``.

        Leaving the loop, or being cancelled in it, ends the call; close the iterator
        with ``contextlib.aclosing`` to end it at once.
        """
        method = self._method
        service: GRPCService = context.sources.grpc(self._name)
        return service.stream(
            method.path,
            method.serialize(request),
            method.parse,
            context,
            timeout=timeout,
        )


class GRPCSource(Generic[S]):
    """Calls a gRPC service by the name that it has in the configuration.

    The stub's methods are its attributes, and take the request's context:
    ``await orders.ListByUsers(request, context)``. Type checkers see through
    ``unary`` and ``stream``, which look a method up once.
    """

    def __init__(
        self,
        name: str,
        stub: Callable[[grpc.aio.Channel], S],
        *,
        idempotent: Iterable[str] = (),
    ) -> None:
        self.name = name
        self._stub = stub(cast("grpc.aio.Channel", _DescribingChannel()))
        self._idempotent = frozenset(idempotent)
        for method in sorted(self._idempotent):
            self._find(method)

    def __repr__(self) -> str:
        return f"grpc_source({self.name!r})"

    def __getattr__(self, attribute: str) -> Callable[..., Any]:
        """Return the stub's method of this name."""
        if attribute.startswith("_"):
            raise AttributeError(attribute)
        method = self._find(attribute)
        call: Callable[..., Any] = (
            StreamMethod[Any, Any](self.name, method)
            if method.is_stream
            else self._make_unary(attribute, method)
        )
        # Found as a plain attribute from now on.
        self.__dict__[attribute] = call
        return call

    def unary(
        self,
        choose: Callable[[S], grpc.aio.UnaryUnaryMultiCallable[RequestT, AnswerT]],
    ) -> UnaryMethod[RequestT, AnswerT]:
        """Return a typed method: ``orders.unary(lambda stub: stub.ListByUsers)``."""
        method = cast("_Method", choose(self._stub))
        return self._make_unary(method.path.rpartition("/")[2], method)

    def stream(
        self,
        choose: Callable[[S], grpc.aio.UnaryStreamMultiCallable[RequestT, AnswerT]],
    ) -> StreamMethod[RequestT, AnswerT]:
        """Return a typed method that answers many times."""
        return StreamMethod(self.name, cast("_Method", choose(self._stub)))

    def batch(
        self,
        method: str,
        request: type[Message],
        *,
        keys: str = "ids",
        rows: str = "items",
        key: str = "id",
        many: bool = False,
        max_batch: int = 1000,
    ) -> BatchFunction:
        """Return a batch function for a method that takes many keys at once.

        Args:
            method: The method's name.
            request: The class of its request message.
            keys: The request's repeated field that takes the keys.
            rows: The answer's repeated field that holds the rows.
            key: The field of a row that holds its key.
            many: Whether a key may have several rows: each key then gives a list.
            max_batch: How many keys one call may carry.

        Raises:
            AttributeError: The stub has no such method, or the message no such field.
        """
        if keys not in request.DESCRIPTOR.fields_by_name:
            raise AttributeError(f'{request.DESCRIPTOR.name} has no field "{keys}"')
        call_method = self._make_unary(method, self._find(method), is_idempotent=True)
        align = align_groups if many else align_rows

        async def load(ids: list[str], context: RequestContext) -> list[Any]:
            async def call(part: Sequence[str]) -> list[Any]:
                answer = await call_method(request(**{keys: part}), context)
                found = getattr(answer, rows)
                return align(part, found, lambda row: getattr(row, key))

            return await call_in_parts(ids, max_batch, call)

        load.__name__ = load.__qualname__ = f"{self.name} {method}"
        return load

    def _make_unary(
        self, attribute: str, method: _Method, *, is_idempotent: bool = False
    ) -> UnaryMethod[Any, Any]:
        return UnaryMethod(
            self.name,
            method,
            is_idempotent=is_idempotent or attribute in self._idempotent,
        )

    def _find(self, attribute: str) -> _Method:
        method = getattr(self._stub, attribute, None)
        if isinstance(method, _Method):
            return method
        known = [
            name
            for name, value in vars(self._stub).items()
            if isinstance(value, _Method)
        ]
        raise AttributeError(
            f'the stub of service "{self.name}" has no method "{attribute}" that '
            f"takes one message; it has {', '.join(sorted(known))}"
        )


class _DescribingChannel:
    """A channel that a stub can be built on to learn what its methods are."""

    def unary_unary(
        self,
        method: str,
        request_serializer: Callable[[Any], bytes],
        response_deserializer: Callable[[bytes], Any],
        **_: object,
    ) -> _Method:
        return _Method(method, request_serializer, response_deserializer)

    def unary_stream(
        self,
        method: str,
        request_serializer: Callable[[Any], bytes],
        response_deserializer: Callable[[bytes], Any],
        **_: object,
    ) -> _Method:
        return _Method(
            method, request_serializer, response_deserializer, is_stream=True
        )

    def stream_unary(self, *_: object, **__: object) -> None:
        """Leave out a method to which a client streams."""

    def stream_stream(self, *_: object, **__: object) -> None:
        """Leave out a method to which a client streams."""


def grpc_source(
    name: str,
    stub: Callable[[grpc.aio.Channel], S],
    *,
    idempotent: Iterable[str] = (),
) -> GRPCSource[S]:
    """Return a handle for the gRPC service called ``name`` in the configuration.

    Args:
        name: The service's name.
        stub: The stub class that protoc generated.
        idempotent: Methods that may be tried again, such as reads.
    """
    return GRPCSource(name, stub, idempotent=idempotent)
