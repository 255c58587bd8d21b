"""What the gateway is told about each backend service."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Self
from urllib.parse import urlsplit

from graphgw.errors import Problem
from graphgw.sources.balancing.problems import (
    find_in_balance,
    find_in_grpc_balance,
    find_in_http_check,
)
from graphgw.sources.balancing.settings import (
    AddressSettings,
    BalanceSettings,
    EjectionSettings,
    HealthCheckSettings,
    SplitSettings,
)
from graphgw.sources.changes import RequestChanges, ResponseChanges
from graphgw.sources.headers import is_forwardable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "DEADLINE_HEADER",
    "BreakerSettings",
    "RetrySettings",
    "ServiceSettings",
    "TLSSettings",
    "find_problems",
]

DEADLINE_HEADER: Final = "x-request-timeout-ms"
"""The header that tells an HTTP backend how many milliseconds are left."""

_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSSettings:
    """How a backend's certificate is checked, and ours shown; PEM files."""

    ca_file: Path | None = None
    """Authorities to trust instead of the system's."""
    certificate_file: Path | None = None
    key_file: Path | None = None
    server_name: str | None = None
    """The name on the backend's certificate, where it is not the URL's host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySettings:
    """How often reads are tried again; the budget is the service's, not the call's."""

    max_retries: int = 2
    budget_ratio: float = 0.1
    """Retries allowed for each request made."""
    budget_per_second: float = 3.0
    """Retries allowed each second on top."""
    backoff: float = 0.05
    """Upper bound in seconds of the first wait; doubles, each wait is random."""
    max_backoff: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerSettings:
    """When a failing service is left alone, and for how long (seconds)."""

    is_enabled: bool = True
    min_requests: int = 10
    failure_ratio: float = 0.5
    window: float = 10.0
    open_seconds: float = 5.0
    max_open_seconds: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """One backend service, as resolvers name it.

    ``url`` is the base URL of an HTTP service, ``addresses`` are the ``host:port`` of a
    gRPC service, which are called in turn. ``urls`` are those of either that runs at
    several places, where more is said of which of them a call goes to. Times are in
    seconds.
    """

    name: str
    kind: Literal["http", "grpc"] = "http"
    url: str = ""
    urls: tuple[AddressSettings, ...] = ()
    addresses: tuple[str, ...] = ()
    timeout: float = 5.0
    """What one call may take in all, retries included."""
    connect_timeout: float = 1.0
    max_answer_bytes: int = 10 * _MIB
    """Counted after inflating."""
    max_header_bytes: int = 64 * 1024
    max_connections: int = 100
    max_in_flight: int = 100
    """Calls at one time; more are refused, and fewer while the service struggles."""
    keep_alive: float = 30.0
    """How long an idle connection is kept."""
    max_connection_age: float = 300.0
    """When a connection is replaced, so that new addresses are found."""
    ping_interval: float = 300.0
    """gRPC only; servers disconnect clients that ping more often than they like."""
    has_health_check: bool = False
    """gRPC only: whether addresses are asked for their health, and left out."""
    grpc_client: Literal["native", "grpcio"] = "native"
    """What makes gRPC calls; streams and health checks are always grpcio's."""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Headers or metadata sent with each call."""
    forward_headers: tuple[str, ...] = ()
    """Names of the client's headers that are sent on."""
    request_id_header: str | None = "x-request-id"
    deadline_header: str | None = DEADLINE_HEADER
    """HTTP only; gRPC has ``grpc-timeout``."""
    tls: TLSSettings | None = None
    """gRPC speaks TLS if this is set, HTTP if the URL says so."""
    balance: BalanceSettings = field(default_factory=BalanceSettings)
    ejection: EjectionSettings = field(default_factory=EjectionSettings)
    health_check: HealthCheckSettings | None = None
    split: SplitSettings | None = None
    retries: RetrySettings = field(default_factory=RetrySettings)
    breaker: BreakerSettings = field(default_factory=BreakerSettings)
    request: RequestChanges = field(default_factory=RequestChanges, compare=False)
    """How requests at routes that lead here are changed, before the routes do."""
    response: ResponseChanges = field(default_factory=ResponseChanges, compare=False)
    """How answers at such routes are changed, after the routes did."""

    @classmethod
    def from_url(cls, name: str, url: str) -> Self:
        """Return the settings of a service of which only the URL is known.

        ``grpc://host:port`` and, with TLS, ``grpcs://host:port`` mean a gRPC service;
        several addresses are parted by commas. Any other URL means an HTTP service.
        """
        scheme, _, rest = url.partition("://")
        if scheme not in {"grpc", "grpcs"}:
            return cls(name=name, url=url)
        return cls(
            name=name,
            kind="grpc",
            addresses=tuple(rest.rstrip("/").split(",")),
            tls=TLSSettings() if scheme == "grpcs" else None,
        )

    @property
    def base_url(self) -> str:
        """The URL that calls are written with, whatever address they go to."""
        return self.url or (self.urls[0].url if self.urls else "")

    @property
    def all_urls(self) -> tuple[AddressSettings, ...]:
        """Where a service is; not for gRPC services without ``urls``."""
        return self.urls or (AddressSettings(url=self.url),)

    @property
    def is_balanced(self) -> bool:
        """Whether it is chosen for each call which address it goes to."""
        return bool(self.urls) or self.balance.each_record


def find_problems(settings: ServiceSettings) -> list[Problem]:
    """Return what an operator must mend in one service's settings."""
    where = f"services.{settings.name}"
    problems = [
        Problem(message, where=f"{where}.{key}", mend=mend)
        for key, message, mend in _find(settings)
    ]
    problems.extend(
        Problem(
            f'the header "{name}" cannot be forwarded: it belongs to one connection '
            "or one message",
            where=f"{where}.forward_headers",
            mend="remove it",
        )
        for name in settings.forward_headers
        if not is_forwardable(name)
    )
    return problems


def _find(settings: ServiceSettings) -> Iterator[tuple[str, str, str]]:
    if settings.kind == "http":
        yield from _find_in_urls(settings)
    else:
        yield from _find_in_grpc(settings)
    for key in ("timeout", "connect_timeout", "keep_alive", "max_connection_age"):
        if getattr(settings, key) <= 0:
            yield key, "is not above zero", 'give a duration such as "2s"'
    for key in (
        "max_answer_bytes",
        "max_header_bytes",
        "max_connections",
        "max_in_flight",
    ):
        if getattr(settings, key) < 1:
            yield key, "is not above zero", "give a number of at least 1"
    if settings.retries.max_retries < 0:
        yield "retries.max_retries", "is below zero", "give 0 to switch retries off"
    if settings.breaker.min_requests < 1:
        yield "breaker.min_requests", "is below one", "give a number of at least 1"
    if not 0 < settings.breaker.failure_ratio <= 1:
        yield "breaker.failure_ratio", "is no ratio", "give a number up to 1"
    for key in ("window", "open_seconds", "max_open_seconds"):
        if getattr(settings.breaker, key) <= 0:
            yield f"breaker.{key}", "is not above zero", "give a number of seconds"


def _find_in_grpc(settings: ServiceSettings) -> Iterator[tuple[str, str, str]]:
    yield from find_in_grpc_balance(settings, ServiceSettings(name=""))
    if settings.urls:
        yield from _find_in_spread(settings)
    else:
        yield from _find_in_addresses(settings.addresses)


def _find_in_urls(settings: ServiceSettings) -> Iterator[tuple[str, str, str]]:
    if settings.url or not settings.urls:
        yield from _find_in_url(settings.url)
    for item in settings.urls:
        for _, message, mend in _find_in_url(item.url):
            yield "urls", message, mend
    yield from _find_in_spread(settings)
    yield from find_in_http_check(settings.health_check)


def _find_in_spread(settings: ServiceSettings) -> Iterator[tuple[str, str, str]]:
    yield from find_in_balance(
        [(item.url, item.group) for item in settings.urls],
        settings.balance,
        settings.health_check,
        settings.split,
    )


def _find_in_url(url: str) -> Iterator[tuple[str, str, str]]:
    mend = 'give a URL such as "http://users.internal:8080"'
    try:
        parts = urlsplit(url)
        has_port = parts.port != 0
    except ValueError:
        yield "url", f'"{url}" is no URL', mend
        return
    if parts.scheme not in {"http", "https"} or not parts.hostname or not has_port:
        yield "url", f'"{url}" is no http or https URL', mend
    elif not url.isascii() or not url.isprintable() or " " in url:
        yield "url", "holds characters that a URL cannot have", "percent-encode them"
    if parts.username is not None or parts.password is not None:
        yield "url", "holds credentials", 'send them in "headers" instead'
    if parts.query or parts.fragment:
        yield "url", "has a query or a fragment", "remove them"


def _find_in_addresses(addresses: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    if not addresses:
        yield "addresses", "there are none", 'give one such as "orders.internal:50051"'
    for address in addresses:
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 1 << 16:
            mend = 'give host and port, as in "orders.internal:50051"'
            yield "addresses", f'"{address}" is not host:port', mend
    if len(addresses) > 1 and len({_ip_version(item) for item in addresses}) > 1:
        yield (
            "addresses",
            "several addresses must all be IPv4 or all IPv6 addresses",
            "give one host name that resolves to all of them",
        )
    elif len(addresses) > 1 and _ip_version(addresses[0]) is None:
        yield (
            "addresses",
            "several addresses must be IP addresses",
            "give one host name that resolves to all of them",
        )


def _ip_version(address: str) -> int | None:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).version
    except ValueError:
        return None
