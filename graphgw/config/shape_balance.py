"""The short forms of how a service's calls are spread over its addresses."""

from __future__ import annotations

from typing import Any

__all__ = ["shape_balance"]


def shape_balance(service: dict[str, Any]) -> dict[str, Any]:
    """Return a service's settings in their long form."""
    item = dict(service)
    if isinstance(item.get("urls"), list):
        item["urls"] = [
            {"url": url} if isinstance(url, str) else url for url in item["urls"]
        ]
    if isinstance(item.get("balance"), str):
        item["balance"] = {"method": item["balance"]}
    if isinstance(item.get("health_check"), str):
        item["health_check"] = {"path": item["health_check"]}
    if isinstance(item.get("split"), dict):
        split = item["split"] = dict(item["split"])
        if isinstance(split.get("pins"), dict):
            split["pins"] = [
                (str(value), group) for value, group in split["pins"].items()
            ]
    return item
