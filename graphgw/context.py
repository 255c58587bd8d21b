"""The request context: everything a resolver may know of the request it serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from graphgw.errors import InternalError
from graphgw.telemetry.events import SelectionRefused
from graphgw.telemetry.observer import NO_OBSERVER, Observer
from graphgw.types import ANONYMOUS, Deadline, Headers, JSONObject, Principal, record

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

__all__ = [
    "UNKNOWN_CLIENT",
    "AnswerParts",
    "ClientInfo",
    "Loaders",
    "RequestContext",
    "Sources",
]


@record
class ClientInfo:
    """The client program, as it names itself in its headers."""

    name: str | None = None
    version: str | None = None


UNKNOWN_CLIENT: Final = ClientInfo()


class Sources(Protocol):
    """The connections of a gateway, by the service names of its configuration."""

    def http(self, name: str) -> Any:
        """Return the HTTP service called ``name``.

        Raises:
            ConfigurationError: No service of that name is configured.
        """
        ...

    def grpc(self, name: str) -> Any:
        """Return the gRPC service called ``name``.

        Raises:
            ConfigurationError: No service of that name is configured.
        """
        ...


class Loaders(Protocol):
    """The data loaders of one request: one per batch function and arguments."""

    def load(
        self, loader: object, key: object, arguments: JSONObject
    ) -> Coroutine[Any, Any, Any]:
        """Return the row of one key; raises what the batch function raised."""
        ...

    def load_many(
        self,
        loader: object,
        keys: Sequence[object],
        arguments: JSONObject,
    ) -> Coroutine[Any, Any, list[Any]]:
        """Return rows in key order; a failed key has its exception as value."""
        ...

    def forget(self) -> None:
        """Start anew: every key is asked for again."""
        ...


class AnswerParts:
    """What an answer is made of, noted while it is made, where it is to be kept."""

    __slots__ = ("is_known", "is_sound", "max_age", "tags")

    def __init__(self, max_age: float) -> None:
        self.max_age = max_age
        """Seconds, from the beginning of the run, until the first part is too old."""
        self.tags: dict[str, None] = {}
        self.is_known = True
        """Whether all of it are rows that any caller gets and that tags can drop."""
        self.is_sound = True
        """Whether all of it came as usual, and was not dropped since the beginning."""

    def cap(self, max_age: float | None) -> None:
        """Take note of a part that gets no older than this; ``None`` for any age."""
        if max_age is not None and max_age < self.max_age:
            self.max_age = max_age

    def forbid(self) -> None:
        """Take note of a part that is not to be kept."""
        self.max_age = 0.0


class RequestContext:
    """One request's principal, headers, deadline, loaders and connections.

    Resolvers receive it as an argument and pass it on to sources. A shared batch
    function receives one without principal; asking that one for it raises.
    ``may_share`` says whether its reads may be those of other requests too; it is
    off from the first mutation on. ``noted_ages`` takes what services say of how long
    their answers may be kept, each a ``cache-control`` and an ``age``, where somebody
    wants to know; so does ``parts`` take what the whole answer is made of.
    """

    __slots__ = (
        "_loaders",
        "_open_loaders",
        "_principal",
        "_sources",
        "client",
        "deadline",
        "headers",
        "may_share",
        "noted_ages",
        "observer",
        "parts",
        "request_id",
        "stale",
    )

    def __init__(  # noqa: PLR0913 - all that a request is
        self,
        *,
        deadline: Deadline,
        principal: Principal | None = ANONYMOUS,
        headers: Headers | None = None,
        observer: Observer = NO_OBSERVER,
        request_id: str = "",
        client: ClientInfo | None = None,
        sources: Sources | None = None,
        loaders: Loaders | None = None,
        open_loaders: Callable[[RequestContext], Loaders] | None = None,
        may_share: bool = True,
    ) -> None:
        self.deadline = deadline
        self.headers: Headers = {} if headers is None else headers
        self.observer = observer
        self.request_id = request_id
        self.client = client or UNKNOWN_CLIENT
        self.may_share = may_share
        self.noted_ages: list[tuple[str, str | None]] | None = None
        self.parts: AnswerParts | None = None
        self.stale: tuple[str, ...] = ()
        self._principal = principal
        self._sources = sources
        self._loaders = loaders
        self._open_loaders = open_loaders

    def mark_stale(self, coordinate: str) -> None:
        """Note that the answer holds values that are older than they should be."""
        if coordinate not in self.stale:
            self.stale = (*self.stale, coordinate)

    @property
    def principal(self) -> Principal:
        """Who is asking.

        Raises:
            InternalError: A loader that is shared between requests asked.
        """
        if self._principal is None:
            raise InternalError(
                "a shared loader has no principal: declare it without shared=True "
                "where its rows depend on who asks"
            )
        return self._principal

    def report_refusal(
        self, coordinate: str, code: str, *, is_shadow: bool = False
    ) -> None:
        """Tell the observer what a policy refuses, or as a shadow would refuse."""
        subject = None if self._principal is None else self._principal.subject
        self.observer.observe(
            SelectionRefused(
                coordinate,
                code,
                is_shadow=is_shadow,
                request_id=self.request_id,
                subject=subject,
            )
        )

    @property
    def sources(self) -> Sources:
        """The gateway's connections."""
        if self._sources is None:
            raise InternalError("this context has no sources")
        return self._sources

    @property
    def has_loaders(self) -> bool:
        """Tell whether this context has data loaders."""
        return self._loaders is not None or self._open_loaders is not None

    @property
    def loaders(self) -> Loaders:
        """This request's data loaders."""
        if self._loaders is None:
            if self._open_loaders is None:
                raise InternalError("this context has no loaders")
            self._loaders = self._open_loaders(self)
        return self._loaders

    def forget_rows(self) -> None:
        """Let go of the rows that loaders hold, if there are any."""
        if self._loaders is not None:
            self._loaders.forget()

    def drop_loaders(self) -> None:
        """Let go of the loaders, once nothing of the request runs any more.

        They name this context, so that both would otherwise stay until the garbage
        collector comes for them.
        """
        self._loaders = self._open_loaders = None

    def with_loaders(self, loaders: Loaders) -> RequestContext:
        """Return the same context with other loaders."""
        return self._copy(loaders)

    def _copy(self, loaders: Loaders | None = None) -> RequestContext:
        return RequestContext(
            deadline=self.deadline,
            principal=self._principal,
            headers=self.headers,
            observer=self.observer,
            request_id=self.request_id,
            client=self.client,
            sources=self._sources,
            loaders=loaders,
            may_share=self.may_share,
        )

    def noting_ages(self) -> RequestContext:
        """Return the same context, which notes what services say of their answers."""
        context = self.with_loaders(self.loaders) if self.has_loaders else self._copy()
        context.noted_ages = []
        return context

    def without_principal(
        self,
        *,
        headers: Headers,
        deadline: Deadline,
        open_loaders: Callable[[RequestContext], Loaders] | None = None,
    ) -> RequestContext:
        """Return the context that a shared batch function may have.

        It has nothing that tells who asks.

        Args:
            headers: Those that are the same for all who share the call.
            deadline: The latest of all who share the call.
            open_loaders: Makes loaders of its own, when they are first needed.
        """
        return RequestContext(
            deadline=deadline,
            principal=None,
            headers=headers,
            observer=self.observer,
            request_id=self.request_id,
            sources=self._sources,
            open_loaders=open_loaders,
            may_share=self.may_share,
        )

    def load(
        self, loader: object, key: object, /, **arguments: Any
    ) -> Coroutine[Any, Any, Any]:
        """Return the row of ``key``, batched with other loads of this request."""
        return self.loaders.load(loader, key, arguments)

    def load_many(
        self,
        loader: object,
        keys: Sequence[object],
        /,
        **arguments: Any,
    ) -> Coroutine[Any, Any, list[Any]]:
        """Return the rows of ``keys`` in order; a failed key gives its exception."""
        return self.loaders.load_many(loader, keys, arguments)
