"""The short forms of a route, brought into their long form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["shape_route", "shape_sides"]

_SHORT: Final = {"grpc": "service", "operation": "file"}
"""Targets that may be written as one text, and the setting that it is."""
_PAIRS: Final = ("query", "claims", "status")


def shape_route(name: str, value: Any, folder: Path) -> Any:
    """Return the long form of a route as the file has it.

    Args:
        name: What it stands under.
        value: Its settings.
        folder: What paths of files are relative to.
    """
    if not isinstance(value, dict):
        return value
    route: dict[str, Any] = {"name": name, **value}
    for kind, key in _SHORT.items():
        if isinstance(route.get(kind), str):
            route[kind] = {key: route[kind]}
    if isinstance(route.get("openapi"), str):
        route["openapi"] = str(folder / route["openapi"])
    operation = route.get("operation")
    if isinstance(operation, dict):
        route["operation"] = operation = dict(operation)
        if isinstance(operation.get("file"), str):
            operation["file"] = str(folder / operation["file"])
        for key in ("variables", "statuses"):
            _list_pairs(operation, key)
    grpc = route.get("grpc")
    if isinstance(grpc, dict):
        route["grpc"] = grpc = dict(grpc)
        if isinstance(grpc.get("descriptors"), str):
            grpc["descriptors"] = str(folder / grpc["descriptors"])
        if isinstance(grpc.get("interface"), str):
            grpc["interface"] = [grpc["interface"]]
        _list_pairs(grpc, "fields")
    return shape_sides(route)


def shape_sides(item: dict[str, Any]) -> dict[str, Any]:
    """Return a route or a service with the long forms of its changes."""
    sides = {
        side: _shape_changes(item[side])
        for side in ("request", "response")
        if isinstance(item.get(side), dict)
    }
    return {**item, **sides}


def _shape_changes(value: dict[str, Any]) -> dict[str, Any]:
    changes = dict(value)
    for key in _PAIRS:
        _list_pairs(changes, key)
    if isinstance(changes.get("headers"), dict):
        changes["headers"] = headers = dict(changes["headers"])
        for key in ("rename", "set", "add"):
            _list_pairs(headers, key)
    if isinstance(changes.get("body"), dict):
        changes["body"] = body = dict(changes["body"])
        _list_pairs(body, "rename")
        if isinstance(body.get("defaults"), dict):
            body["defaults"] = [
                (key, orjson.dumps(item).decode())
                for key, item in body["defaults"].items()
            ]
    return changes


def _list_pairs(holder: dict[str, Any], key: str) -> None:
    """Write a mapping as the pairs that the settings keep."""
    if isinstance(holder.get(key), dict):
        holder[key] = list(holder[key].items())
