"""A route to a service as an operation object: the service's answers are its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from graphgw.openapi.paths import describe_path
from graphgw.openapi.problems import refer_problems
from graphgw.openapi.security import is_guarded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphgw.routes.settings import RouteSettings
    from graphgw.types import JSONObject

__all__ = ["describe_service", "service_of"]

_WITH_BODY: Final = frozenset(("post", "put", "patch", "delete"))


def service_of(route: RouteSettings) -> str:
    """Return the name of the service that a route leads to."""
    return route.service or (route.grpc.service if route.grpc else route.kind)


def describe_service(
    route: RouteSettings, method: str, names: Mapping[str, str]
) -> JSONObject:
    """Return the operation object of one method.

    Args:
        route: Leads to the service.
        method: In small letters.
        names: The document's names of the path's parameters.
    """
    found: JSONObject = {"summary": f"What the service {service_of(route)} answers"}
    parameters = [describe_path(name, {"type": "string"}) for name in names.values()]
    if parameters:
        found["parameters"] = parameters
    if method in _WITH_BODY:
        found["requestBody"] = {"content": {"*/*": {}}}
    problems = ["400"]
    problems += ["401", "403"] if is_guarded(route) else []
    problems += ["413"] if method in _WITH_BODY else []
    problems += ["429"] if route.rate_limit else []
    found["responses"] = {
        "default": {"description": "The service's answer."},
        **refer_problems(problems),
    }
    return found
