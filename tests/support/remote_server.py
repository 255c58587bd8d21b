"""A remote subgraph as a real server: answers GraphQL, keeps what it was sent."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import uvicorn
from graphql import build_schema, graphql_sync

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from graphql import GraphQLSchema

__all__ = ["RemoteCall", "RemoteServer"]

_FEDERATION = """
directive @key(fields: String!, resolvable: Boolean = true) repeatable on OBJECT
directive @external on FIELD_DEFINITION
directive @requires(fields: String!) on FIELD_DEFINITION
directive @shareable on FIELD_DEFINITION | OBJECT
directive @link(url: String!, import: [String]) repeatable on SCHEMA
scalar _Any
type _Service { sdl: String! }
"""


@dataclass(frozen=True)
class RemoteCall:
    """One request; header names are lower-case."""

    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class RemoteServer:
    """Serves one subgraph from a thread of its own; use it as a context manager.

    ``data`` holds the root fields' values or functions of their arguments, and
    ``entities`` by type name the function from a representation to its row.
    ``answer_headers`` go with each answer; ``respond`` may answer a call instead, by
    status, headers and body. Answers are compressed where ``compresses`` is set and
    the request allows it.
    """

    sdl: str
    data: dict[str, Any] = field(default_factory=dict)
    entities: dict[str, Callable[[dict[str, Any]], Any]] = field(default_factory=dict)
    answer_headers: dict[str, str] = field(default_factory=dict)
    respond: Callable[[RemoteCall], tuple[int, dict[str, str], bytes] | None] = (
        lambda _: None
    )
    compresses: bool = False
    calls: list[RemoteCall] = field(default_factory=list)
    url: str = ""

    def __enter__(self) -> RemoteServer:
        self._schema = self._build()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/graphql"
        config = uvicorn.Config(
            self._serve, interface="asgi3", lifespan="off", ws="none", log_level="error"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._server.serve(sockets=[self._socket])),
            daemon=True,
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()

    @property
    def last(self) -> RemoteCall:
        """The last call."""
        return self.calls[-1]

    def _build(self) -> GraphQLSchema:
        fields = ["_service: _Service!"]
        union = ""
        if self.entities:
            fields.append("_entities(representations: [_Any!]!): [_Entity]!")
            union = f"union _Entity = {' | '.join(self.entities)}"
        extend = "extend " if "type Query" in self.sdl else ""
        query = f"{extend}type Query {{ {' '.join(fields)} }}"
        text = "\n".join((self.sdl, _FEDERATION, union, query))
        return build_schema(text, assume_valid=True)

    def _answer(self, call: RemoteCall) -> tuple[int, dict[str, str], bytes]:
        given = self.respond(call)
        if given is not None:
            return given
        root = {
            **self.data,
            "_service": {"sdl": self.sdl},
            "_entities": lambda _, representations: [
                self._entity(found) for found in representations
            ],
        }
        result = graphql_sync(
            self._schema,
            call.body["query"],
            root,
            variable_values=call.body.get("variables"),
        )
        headers = {"content-type": "application/json", **self.answer_headers}
        return 200, headers, json.dumps(result.formatted).encode()

    def _entity(self, representation: dict[str, Any]) -> Any:
        name = representation["__typename"]
        row = self.entities[name](representation)
        return None if row is None else {**representation, **row}

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        call = RemoteCall(headers, json.loads(body))
        self.calls.append(call)
        status, answered, content = self._answer(call)
        if self.compresses and "gzip" in headers.get("accept-encoding", ""):
            answered, content = (
                {**answered, "content-encoding": "gzip"},
                gzip.compress(content),
            )
        raw = [(name.encode(), value.encode()) for name, value in answered.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": content})
