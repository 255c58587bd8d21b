"""Where routes lead beside HTTP services: the settings of the other targets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - read at run time
from typing import Literal

__all__ = ["GRPCTarget", "OperationTarget"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GRPCTarget:
    """A gRPC service, or one method of it, that JSON is translated for.

    With ``method`` the route is that call. Without it, what ``google.api.http``
    annotations say of the services in ``interface`` is below the route's path.
    """

    service: str
    """The name of the configured gRPC service."""
    method: str | None = None
    """``package.Service/Method``."""
    interface: tuple[str, ...] = ()
    """Full names of the annotated services, where no method is named."""
    descriptors: Path | None = None
    """What ``protoc --include_imports --descriptor_set_out`` wrote; without it the
    service is asked, by reflection."""
    fields: tuple[tuple[str, str], ...] = ()
    """Fields of the request message, and where each comes from: ``path.id``,
    ``query.first``, ``header.x-locale`` or ``claim.sub``. Other parameters of path and
    query are taken by the names of the fields."""
    body: str | None = None
    """The field that the body is, or ``*`` for the whole message, which is the default
    where requests have a body."""
    response_body: str | None = None
    """The field of the answer that is sent, instead of all of it."""
    emit_defaults: bool = True
    """Whether fields that are not set are written with their defaults."""
    use_proto_names: bool = False
    """Whether fields are called as in the file, instead of ``lowerCamelCase``."""
    shows_details: bool = False
    """Whether clients are told a service's own words where a call is their fault."""
    error_details: Literal["none", "public", "all"] = "public"
    """Which messages in ``google.rpc.Status`` clients are shown: ``public`` leaves out
    ``DebugInfo``, and all where the fault is the service's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationTarget:
    """An operation file that a request is answered with.

    A variable takes its value from the path's parameter, the JSON body's member or the
    query's parameter of its name, in this order; ``variables`` says otherwise.
    """

    file: Path
    """The document; its path is relative to the configuration's folder."""
    operation: str | None = None
    """The operation's name, where the document has several."""
    variant: str | None = None
    """The variant of the graph that is asked; the whole graph by default."""
    variables: tuple[tuple[str, str], ...] = ()
    """Variables, and where each comes from: ``path.id``, ``query.first``,
    ``header.x-locale``, ``claim.sub``, ``body`` or ``body.profile.city``."""
    select: str | None = None
    """The part of the data that is answered with, as a dotted path: ``user.orders``."""
    status: int = 200
    """Of an answer without errors; 204 answers without a body."""
    partial: Literal["reject", "allow"] = "reject"
    """Whether an answer with gaps is one; ``allow`` names them under ``warnings``."""
    statuses: tuple[tuple[str, int], ...] = ()
    """HTTP statuses of error codes, where they differ from the usual ones."""
