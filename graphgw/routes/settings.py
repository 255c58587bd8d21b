"""What the gateway is told about each route."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path  # noqa: TC003 - read at run time
from typing import Final, Literal

from graphgw.policies.route_policy import RouteAccess, RouteRateLimit
from graphgw.policies.settings import Switch  # noqa: TC001 - read at run time
from graphgw.routes.targets import (  # noqa: TC001 - read at run time
    GRPCTarget,
    OperationTarget,
)
from graphgw.sources.changes import (
    BodyChanges,
    HeaderChanges,
    RequestChanges,
    ResponseChanges,
)

__all__ = [
    "TARGETS",
    "BodyChanges",
    "HeaderChanges",
    "RequestChanges",
    "ResponseChanges",
    "RouteCache",
    "RouteSettings",
    "RouteTimeouts",
    "WebSocketSettings",
]

TARGETS: Final = ("service", "grpc", "operation")
"""The kinds of target; a route has exactly one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteTimeouts:
    """How long a route may take, in seconds; ``None`` sets no bound."""

    first_byte: float = 10.0
    """From the end of the request to the head of the answer, retries included."""
    idle: float = 30.0
    """The longest silence within a body that streams, either way."""
    total: float | None = None
    """The whole exchange; ``None`` lets streams run as long as they are not idle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteCache:
    """Answers to GET that the gateway keeps; what the service says is obeyed."""

    max_age: float | None = None
    """Seconds; ``None`` keeps only what ``cache-control`` of the answer allows."""
    scope: Literal["PUBLIC", "PRIVATE"] = "PRIVATE"
    """``PRIVATE`` keeps an answer for each principal alone."""
    vary: tuple[str, ...] = ()
    """Request headers by which answers differ, beside those that they name."""
    max_body_bytes: int = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketSettings:
    """WebSocket connections through a route."""

    max_frame_bytes: int = 1024 * 1024
    """The largest message, either way."""
    idle_timeout: float = 300.0
    subprotocols: tuple[str, ...] = ()
    """Those that may be agreed on; empty lets the service choose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSettings:
    """One route: what it matches, where it leads, and who may go there.

    ``path`` may hold ``{parameters}``, which match one segment, and end in ``/*``,
    which matches all that is below. Exactly one of ``service``, ``grpc`` and
    ``operation`` says where it leads.
    """

    name: str
    path: str
    methods: tuple[str, ...] = ()
    """Empty for every method; GET includes HEAD."""
    host: str | None = None
    """``api.example.com``, or ``*.example.com`` for all below."""

    service: str | None = None
    """The HTTP service that requests are sent on to."""
    grpc: GRPCTarget | None = None
    operation: OperationTarget | None = None

    strip_prefix: str | None = None
    """What is taken from the front of the path before it goes to the service."""
    rewrite: str | None = None
    """The path at the service; ``{parameters}`` and a final ``*`` are filled in."""
    preserve_host: bool = False
    """Whether the service sees the client's ``host`` header."""
    forward_cookies: bool = False
    forward_set_cookie: bool = False
    forward_authorization: bool = False
    """Whether the client's ``authorization`` and API key go on to the service."""
    openapi: Path | None = None
    """The service's own OpenAPI 3 document, in JSON; of it the gateway's takes what
    the route leads to."""
    allows_encoded_slash: bool = False
    """Whether a path may hold ``%2F``, which servers read in different ways."""
    timeouts: RouteTimeouts = field(default_factory=RouteTimeouts)
    max_body_bytes: int = 1024 * 1024
    """The longest request body; counted while it streams."""
    websocket: WebSocketSettings | None = None
    """WebSocket connections; refused if this is not there."""

    authenticated: bool = False
    """Whether a caller must be known."""
    scopes: tuple[str, ...] = ()
    """All of these must be granted."""
    api_key: Literal["optional", "required"] = "optional"
    allow_ips: tuple[str, ...] = ()
    deny_ips: tuple[str, ...] = ()
    switch: Switch = "enforce"
    """Whether the five settings above refuse, or only report (``shadow``)."""
    rate_limit: RouteRateLimit | None = None
    concurrency: int | None = None
    """Requests at one time in each process; more are refused with 503."""
    cache: RouteCache | None = None
    request: RequestChanges = field(default_factory=RequestChanges)
    response: ResponseChanges = field(default_factory=ResponseChanges)

    @property
    def kind(self) -> str:
        """The kind of target, one of ``TARGETS``."""
        return next(kind for kind in TARGETS if getattr(self, kind) is not None)

    @property
    def service_name(self) -> str | None:
        """The name of the service that it leads to, if it is one."""
        return self.service if self.grpc is None else self.grpc.service

    @property
    def access(self) -> RouteAccess:
        """Who may use it."""
        return RouteAccess(
            authenticated=self.authenticated,
            scopes=self.scopes,
            needs_api_key=self.api_key == "required",
            allow_ips=self.allow_ips,
            deny_ips=self.deny_ips,
            switch=self.switch,
        )
