"""Where routes lead beside HTTP services: the settings of the other targets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - read at run time

__all__ = ["GRPCTarget", "OperationTarget"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GRPCTarget:
    """A gRPC service, or one method of it, that JSON is translated for."""

    service: str
    """The name of the configured gRPC service."""
    method: str | None = None
    """``package.Service/Method``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationTarget:
    """An operation file that a request is answered with."""

    file: Path
    """The document; its path is relative to the configuration's folder."""
