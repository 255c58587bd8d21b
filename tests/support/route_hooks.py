"""Hooks of routes, for the gateway under test."""

from __future__ import annotations

from dataclasses import replace

from graphgw import RouteRequest, RouteResponse

__all__ = ["fail", "greet", "sign", "stamp", "teapot"]


async def sign(request: RouteRequest) -> RouteRequest:
    """Send credentials of the gateway's own, and another body."""
    signed = request.with_header("authorization", "Signature abc")
    return replace(signed, body=request.body.upper(), query="signed=1")


async def teapot(request: RouteRequest) -> RouteRequest | RouteResponse:
    """Answer some requests without a service."""
    if request.parameters.get("*") == "tea":
        return RouteResponse(status=418, headers=(("x-pot", "yes"),), body=b"short")
    return request


async def stamp(response: RouteResponse, request: RouteRequest) -> RouteResponse:
    """Say what was asked in the answer."""
    stamped = response.with_header("x-asked", f"{request.method} {request.path}")
    return replace(stamped, body=b"[" + response.body[:9] + b"]")


async def fail(request: RouteRequest) -> RouteRequest:
    """Fail."""
    raise ValueError(f"a secret of {request.path}")


def greet(request: RouteRequest) -> RouteRequest:
    """Be no async function."""
    return request
