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
    is_grpc = _is_grpc(item)
    if is_grpc:
        item.setdefault("kind", "grpc")
    if isinstance(item.get("health_check"), str):
        key = "service" if is_grpc else "path"
        item["health_check"] = {key: item["health_check"]}
    if isinstance(item.get("split"), dict):
        split = item["split"] = dict(item["split"])
        if isinstance(split.get("pins"), dict):
            split["pins"] = [
                (str(value), group) for value, group in split["pins"].items()
            ]
    return item


def _is_grpc(item: dict[str, Any]) -> bool:
    """Tell whether a service speaks gRPC; fill in what ``grpcs`` says of it."""
    urls = item.get("urls")
    found = [
        str(url.get("url")).partition("://")[0]
        for url in (urls if isinstance(urls, list) else ())
        if isinstance(url, dict)
    ]
    if "grpcs" in found:
        item.setdefault("tls", {})
    return item.get("kind") == "grpc" or "grpc" in found or "grpcs" in found
