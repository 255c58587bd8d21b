"""The settings of a whole gateway: what graphgw.yaml says, in the packages' terms."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from graphgw.openapi.settings import OpenAPISettings
from graphgw.operations.settings import LimitSettings, WarmUpSettings
from graphgw.planning.settings import PlanningSettings
from graphgw.policies.settings import AuthSettings, PolicySettings
from graphgw.policies.variant_settings import VariantSettings
from graphgw.routes.settings import RouteSettings
from graphgw.sources.sdl_source import SupergraphSettings
from graphgw.sources.settings import ServiceSettings
from graphgw.subgraphs.remote.headers import HeaderRules
from graphgw.subgraphs.remote.subgraph import RemoteSettings

__all__ = [
    "DevProcess",
    "ExampleOperation",
    "ServerSettings",
    "Settings",
    "SubgraphReference",
    "TelemetrySettings",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubgraphReference:
    """Where a subgraph is found: in Python by import path, or remote by URL.

    A remote subgraph's SDL comes from the file ``sdl``, or from the subgraph
    itself (``_service { sdl }``). In front of a ready supergraph only what is to
    differ from its SDL needs to be said.
    """

    name: str
    python: str | None = None
    """Import path such as ``schema.order:subgraph``."""
    url: str | None = None
    sdl: Path | None = None
    headers: HeaderRules = field(default_factory=HeaderRules)
    remote: RemoteSettings = field(default_factory=RemoteSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleOperation:
    """An operation that the IDE opens in a tab of its own."""

    title: str
    query: str
    variables: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """How the gateway listens."""

    host: str = "127.0.0.1"
    port: int = 4000
    workers: int = 1
    path: str = "/graphql"
    has_graphiql: bool = True
    has_api_docs: bool = True
    """Whether ``/openapi.json`` tells what routes offer, and ``/docs`` shows it."""
    examples: tuple[ExampleOperation, ...] = ()
    max_body_bytes: int = 1024 * 1024
    max_header_bytes: int = 32 * 1024
    header_timeout: float = 10.0
    """Seconds that a client may take to send its headers."""
    body_timeout: float = 10.0
    """Seconds that a client may take to send its body."""
    shutdown_delay: float = 1.0
    """Seconds after SIGTERM in which open connections still get an answer, and are
    closed by it; then idle ones are closed."""
    shutdown_grace: float = 30.0
    """Seconds that running operations have left after SIGTERM."""
    keep_alive: float = 75.0
    allowed_origins: tuple[str, ...] = ()
    """Origins of other sites whose pages may call the gateway (CORS)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetrySettings:
    """What is logged, and how."""

    log_format: Literal["json", "console"] = "json"
    """``json`` for machines, ``console`` for people."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class DevProcess:
    """A process that ``graphgw dev`` starts beside the gateway."""

    name: str
    command: tuple[str, ...]
    port: int | None = None
    """The loopback port it listens on once it is ready."""
    environment: tuple[tuple[str, str], ...] = ()
    optional: bool = False
    """Whether it runs only when it is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that a gateway is told."""

    subgraphs: tuple[SubgraphReference, ...] = ()
    supergraph: SupergraphSettings | None = None
    """A ready supergraph, instead of composing ``subgraphs``."""
    alone: str | None = None
    """The one local subgraph to serve, for any federation router in front of it."""
    services: tuple[ServiceSettings, ...] = ()
    routes: tuple[RouteSettings, ...] = ()
    openapi: OpenAPISettings = field(default_factory=OpenAPISettings)
    variants: tuple[VariantSettings, ...] = ()
    variant_header: str | None = None
    """The header by which clients may choose a variant."""
    auth: AuthSettings = field(default_factory=AuthSettings)
    policies: PolicySettings = field(default_factory=PolicySettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    planning: PlanningSettings = field(default_factory=PlanningSettings)
    warm_up: WarmUpSettings = field(default_factory=WarmUpSettings)
    server: ServerSettings = field(default_factory=ServerSettings)
    telemetry: TelemetrySettings = field(default_factory=TelemetrySettings)
    dev: tuple[DevProcess, ...] = ()
    deadline: float = 10.0
    """Seconds that an operation may take in all."""
    sharing: bool = True
    """Whether requests share equal backend reads that they make at one time."""
    redis_url: str | None = None
    redis_timeout: float = 0.05
    """Seconds that one Redis command may take; then its user does without."""
    exposes_plans: bool = False
    """Whether clients may ask for the query plan with an answer."""
    includes_subgraph_in_errors: bool = False
