"""Ask a remote subgraph for its schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from graphgw.errors import SourceBadAnswerError
from graphgw.sources.protocol import HTTPRequest
from graphgw.subgraphs.remote.answer import AnswerReader
from graphgw.subgraphs.remote.subgraph import GRAPHQL_HEADERS

if TYPE_CHECKING:
    from graphgw.sources.protocol import Transport
    from graphgw.subgraphs.remote.headers import HeaderPairs
    from graphgw.types import Deadline

__all__ = ["fetch_sdl"]

_BODY: Final = orjson.dumps(
    {
        "query": "query graphgw__sdl { _service { sdl } }",
        "operationName": "graphgw__sdl",
    }
)


async def fetch_sdl(
    name: str,
    url: str,
    transport: Transport,
    deadline: Deadline,
    headers: HeaderPairs = (),
) -> str:
    """Return a subgraph's SDL, as its ``_service`` field tells it.

    Args:
        name: The subgraph's.
        url: Where it is.
        transport: Sends the request.
        deadline: Bounds it.
        headers: The gateway's own; no client asks.

    Raises:
        SourceError: The subgraph did not answer, or is no federation subgraph.
    """
    request = HTTPRequest(
        "POST",
        url,
        deadline,
        (*GRAPHQL_HEADERS, *((key.lower(), value) for key, value in headers)),
        _BODY,
        name,
        is_idempotent=True,
        endpoint="POST graphql",
    )
    result = AnswerReader(name).read(await transport.send(request), None)
    service = result.data and result.data.get("_service")
    sdl = service.get("sdl") if isinstance(service, dict) else None
    if not isinstance(sdl, str):
        raise SourceBadAnswerError(
            f'subgraph "{name}" does not tell its schema: it has no '
            "_service { sdl } of Apollo Federation",
            source=name,
        )
    return sdl
