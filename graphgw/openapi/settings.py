"""What the OpenAPI document says of the API as a whole."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["OpenAPISettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAPISettings:
    """The document's head; everything else comes from the routes."""

    title: str = "graphgw"
    version: str = "1.0.0"
    description: str = ""
    """In Markdown."""
    servers: tuple[str, ...] = ("/",)
    """Where clients find the gateway."""
