"""The events that the engine emits; each is one frozen record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

__all__ = [
    "BatchLoaded",
    "CacheRead",
    "Event",
    "FetchFinished",
    "InternalFailure",
    "OperationFinished",
    "OperationPrepared",
    "RateLimitDecided",
    "SelectionRefused",
    "SnapshotSwapped",
    "SourceCalled",
]


@dataclass(frozen=True, slots=True)
class OperationPrepared:
    """A document was turned into a compiled plan, or one was found ready."""

    fingerprint: str
    is_cached: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class OperationFinished:
    """An operation was answered; ``seconds`` from first byte in to answer ready."""

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
    subject: str | None = field(default=None, repr=False)
    ip: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class FetchFinished:
    """One fetch node ran; ``entities`` counts representations (0 for root)."""

    subgraph: str
    seconds: float
    entities: int = 0
    error_code: str | None = None


@dataclass(frozen=True, slots=True)
class BatchLoaded:
    """A batch function was called once for ``keys`` keys."""

    loader: str
    keys: int
    seconds: float
    error_code: str | None = None


@dataclass(frozen=True, slots=True)
class SourceCalled:
    """One HTTP or gRPC call to a backend ended."""

    source: str
    endpoint: str
    seconds: float
    status: str
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class CacheRead:
    """A cache was asked for ``keys`` keys and had ``hits`` of them."""

    coordinate: str
    keys: int
    hits: int


@dataclass(frozen=True, slots=True)
class RateLimitDecided:
    """A bucket let an operation pass, or not; a shadow rule refuses nothing."""

    bucket: str
    is_allowed: bool
    is_shadow: bool = False


@dataclass(frozen=True, slots=True)
class SelectionRefused:
    """A policy cut a selection out of an operation; a shadow rule would have."""

    coordinate: str
    code: str
    is_shadow: bool = False


@dataclass(frozen=True, slots=True)
class SnapshotSwapped:
    """A reload ended: ``error`` is ``None`` when the new snapshot serves."""

    supergraph_hash: str
    error: str | None = None


@dataclass(frozen=True, slots=True)
class InternalFailure:
    """Something of ours failed; the traceback goes to the log only."""

    request_id: str
    where: str
    error: BaseException = field(repr=False)


Event: TypeAlias = (
    BatchLoaded
    | CacheRead
    | FetchFinished
    | InternalFailure
    | OperationFinished
    | OperationPrepared
    | RateLimitDecided
    | SelectionRefused
    | SnapshotSwapped
    | SourceCalled
)
