"""A schema registry as a real server: one document, an entity tag, a key."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Registry"]


@dataclass
class Registry:
    """Serves ``text`` to who sends ``key``; use it as a context manager.

    ``statuses`` are what was answered; ``port`` may be given, to come up where the
    registry was before.
    """

    text: str
    key: str = "secret"
    port: int = 0
    fails_with: int | None = None
    statuses: list[int] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where the document is."""
        return f"http://127.0.0.1:{self.port}/artifacts/v1/target/supergraph"

    def __enter__(self) -> Registry:
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = registry.answer(self.headers)
                registry.statuses.append(status)
                self.send_response(status)
                self.send_header("etag", registry.etag)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def etag(self) -> str:
        """The entity tag of the text."""
        return f'"{hash(self.text)}"'

    def answer(self, headers: Any) -> tuple[int, bytes]:
        """Return status and body for a request's headers."""
        if self.fails_with is not None:
            return self.fails_with, b""
        if headers.get("x-hive-cdn-key") != self.key:
            return 403, b""
        if headers.get("if-none-match") == self.etag:
            return 304, b""
        return 200, self.text.encode()
