"""A transport that keeps what was sent and answers what it was told to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from graphgw.sources.protocol import HTTPResponse

if TYPE_CHECKING:
    from graphgw.sources.protocol import HTTPRequest

__all__ = ["RecordingTransport"]


@dataclass
class RecordingTransport:
    """Answers each request with ``answer`` (bytes as they are, else as JSON)."""

    answer: Any = None
    status: int = 200
    headers: dict[str, str] = field(
        default_factory=lambda: {"content-type": "application/json"}
    )
    requests: list[HTTPRequest] = field(default_factory=list)

    async def send(self, request: HTTPRequest) -> HTTPResponse:
        """Keep the request and answer it."""
        self.requests.append(request)
        is_raw = isinstance(self.answer, bytes)
        body = self.answer if is_raw else orjson.dumps(self.answer)
        return HTTPResponse(self.status, self.headers, body)

    async def aclose(self) -> None:
        """Close nothing."""

    @property
    def sent(self) -> list[Any]:
        """The decoded bodies of all requests."""
        return [orjson.loads(request.body) for request in self.requests]
