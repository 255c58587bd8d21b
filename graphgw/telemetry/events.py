"""The events that the engine emits; each is one frozen record."""

from __future__ import annotations

from dataclasses import field
from typing import Literal, TypeAlias

from graphgw.types import record

__all__ = [
    "AddressCalled",
    "AddressChanged",
    "BatchLoaded",
    "CacheRead",
    "CostMeasured",
    "DeprecatedUsed",
    "Event",
    "FetchFinished",
    "InternalFailure",
    "OperationFinished",
    "OperationPrepared",
    "RateLimitDecided",
    "RouteFinished",
    "SelectionRefused",
    "SnapshotSwapped",
    "SourceCalled",
]


@record
class OperationPrepared:
    """A document was turned into a compiled plan."""

    fingerprint: str
    seconds: float


@record
class OperationFinished:
    """An operation was answered; ``seconds`` from first byte in to answer ready.

    ``had_plan`` tells whether its plan was found ready; ``None``, where it failed
    before it needed one.
    """

    request_id: str
    kind: Literal["query", "mutation", "subscription", "unknown"]
    name: str | None
    fingerprint: str | None
    client_name: str | None
    client_version: str | None
    seconds: float
    status: int
    error_codes: tuple[str, ...] = ()
    fetches: int = 0
    had_plan: bool | None = None
    variant: str | None = None
    subject: str | None = field(default=None, repr=False)
    ip: str | None = field(default=None, repr=False)


@record
class RouteFinished:
    """A request at a route was answered; ``seconds`` to the end of the answer.

    ``is_whole`` is false where the answer broke off, or its client left.
    """

    request_id: str
    route: str
    method: str
    status: int
    seconds: float
    error_code: str | None = None
    is_whole: bool = True
    subject: str | None = field(default=None, repr=False)
    ip: str | None = field(default=None, repr=False)


@record
class FetchFinished:
    """One fetch node ran; ``entities`` counts representations (0 for root)."""

    subgraph: str
    seconds: float
    entities: int = 0
    error_code: str | None = None


@record
class BatchLoaded:
    """A batch function was called once for ``keys`` keys."""

    loader: str
    keys: int
    seconds: float
    error_code: str | None = None


@record
class SourceCalled:
    """One HTTP or gRPC call to a backend ended."""

    source: str
    endpoint: str
    seconds: float
    status: str
    attempt: int = 1


@record
class AddressCalled:
    """A call to one of a service's addresses ended; ``outcome`` as of the source's."""

    source: str
    address: str
    outcome: str


@record
class AddressChanged:
    """An address of a service is left out from now on, or is back."""

    source: str
    address: str
    change: Literal["ejected", "returned", "unhealthy", "healthy"]


@record
class CacheRead:
    """A cache was asked for ``keys`` keys and had ``hits`` of them."""

    coordinate: str
    keys: int
    hits: int


@record
class RateLimitDecided:
    """A bucket let an operation pass, or not; a shadow rule refuses nothing."""

    bucket: str
    is_allowed: bool
    is_shadow: bool = False
    request_id: str = field(default="", compare=False)
    subject: str | None = field(default=None, compare=False)
    """Who asked, where that is known."""


@record
class CostMeasured:
    """An operation's estimated cost, and what it came to."""

    estimate: int
    actual: int


@record
class DeprecatedUsed:
    """A client used something that is deprecated or goes away; once an operation."""

    coordinate: str
    client_name: str | None
    client_version: str | None


@record
class SelectionRefused:
    """A policy cut a selection out of an operation; a shadow rule would have."""

    coordinate: str
    code: str
    is_shadow: bool = False
    request_id: str = field(default="", compare=False)
    subject: str | None = field(default=None, compare=False)
    """Who asked, where that is known."""


@record
class SnapshotSwapped:
    """A reload ended: ``error`` is ``None`` when the new snapshot serves."""

    supergraph_hash: str
    error: str | None = None
    warmed_up: int = 0
    """Documents that were prepared before it serves."""
    unfit: int = 0
    """Documents asked before that do not fit it."""


@record
class InternalFailure:
    """Something of ours failed; the traceback goes to the log only."""

    request_id: str
    where: str
    error: BaseException = field(repr=False)


Event: TypeAlias = (
    AddressCalled
    | AddressChanged
    | BatchLoaded
    | CacheRead
    | CostMeasured
    | DeprecatedUsed
    | FetchFinished
    | InternalFailure
    | OperationFinished
    | OperationPrepared
    | RateLimitDecided
    | RouteFinished
    | SelectionRefused
    | SnapshotSwapped
    | SourceCalled
)
