"""Who may use a route, as security schemes and requirements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from graphgw.policies.settings import AuthSettings
    from graphgw.routes.settings import RouteSettings
    from graphgw.types import JSONObject

__all__ = ["describe_schemes", "is_guarded", "requirements_of"]

_BEARER: Final = "bearer"
_API_KEY: Final = "apiKey"


def describe_schemes(auth: AuthSettings) -> JSONObject:
    """Return the ways in which callers can say who they are."""
    return {
        _BEARER: {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A token of an issuer that the gateway knows.",
        },
        _API_KEY: {
            "type": "apiKey",
            "in": "header",
            "name": auth.api_keys.header,
            "description": "A key that was made for a client.",
        },
    }


def is_guarded(route: RouteSettings) -> bool:
    """Tell whether nobody unknown may use a route."""
    is_needed = route.authenticated or route.scopes or route.api_key == "required"
    return bool(is_needed) and route.switch == "enforce"


def requirements_of(route: RouteSettings, *, needs_caller: bool) -> list[JSONObject]:
    """Return what callers of a route must show, one of these.

    Args:
        route: The route.
        needs_caller: Whether it is of no use to who is not known.
    """
    scopes = list(route.scopes) if is_guarded(route) else []
    if is_guarded(route) and route.api_key == "required":
        return [{_API_KEY: scopes}]
    known = [{_BEARER: scopes}, {_API_KEY: scopes}]
    return known if is_guarded(route) or needs_caller else [{}, *known]
