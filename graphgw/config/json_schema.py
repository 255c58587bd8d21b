"""The JSON Schema of graphgw.yaml, for editors that check while one types."""

from __future__ import annotations

from typing import Any, Final

from graphgw.config.models import build_model
from graphgw.config.settings import Settings

__all__ = ["json_schema"]

_SCALARS: Final = frozenset(("boolean", "integer", "number"))
_VARIABLE: Final = {"type": "string", "pattern": r"\$\{"}
_SHORT: Final = {
    "subgraphs": ("SubgraphReference", ["string"]),
    "services": ("ServiceSettings", ["string"]),
    "routes": ("RouteSettings", []),
    "variants": ("VariantSettings", ["null"]),
    "processes": ("DevProcess", ["string", "array"]),
}
"""What stands under names: its model, and the types of its short forms."""


def json_schema() -> dict[str, Any]:
    """Return the schema of the file as it is written, short forms included."""
    schema: dict[str, Any] = _as_written(build_model(Settings).model_json_schema())
    for model, _ in _SHORT.values():
        _drop_name(schema["$defs"][model])
    properties = schema["properties"]
    for name in ("subgraphs", "services", "routes", "variants"):
        properties[name] = _by_name(name)
    properties["dev"] = {
        "type": ["object", "null"],
        "properties": {"processes": _by_name("processes")},
        "additionalProperties": False,
    }
    properties["supergraph"]["anyOf"].append({"type": "string"})
    command = schema["$defs"]["DevProcess"]["properties"]["command"]
    command["type"] = ["array", "string"]
    schema["$defs"]["ServerSettings"]["properties"]["examples"] = {"type": "string"}
    route = schema["$defs"]["RouteSettings"]["properties"]
    for target in ("grpc", "operation"):
        route[target]["anyOf"].append({"type": "string"})
    service = schema["$defs"]["ServiceSettings"]["properties"]
    forms = {"anyOf": [service["urls"]["items"], {"type": "string"}]}
    service["urls"] = {"type": "array", "items": forms}
    service["balance"] = {"anyOf": [service["balance"], {"type": "string"}]}
    service["health_check"]["anyOf"].append({"type": "string"})
    schema["$defs"]["BodyChanges"]["properties"]["defaults"] = {"type": "object"}
    schema["title"] = "graphgw.yaml"
    return schema


def _as_written(value: Any) -> Any:
    """Let texts stand where the file may hold units, or a variable."""
    if isinstance(value, list):
        return [_as_written(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "prefixItems" in value.get("items", {}):
        kind = _as_written(value["items"]["prefixItems"][1])
        return {"type": "object", "additionalProperties": kind}
    found = {key: _as_written(v) for key, v in value.items() if key != "default"}
    if value.get("type") in _SCALARS:
        found["type"] = [value["type"], "string"]
    if "enum" in value:
        return {"anyOf": [found, _VARIABLE]}
    return found


def _by_name(name: str) -> dict[str, Any]:
    model, short = _SHORT[name]
    forms: list[dict[str, Any]] = [{"$ref": f"#/$defs/{model}"}]
    if short:
        forms.append({"type": short})
    return {"type": ["object", "null"], "additionalProperties": {"anyOf": forms}}


def _drop_name(schema: dict[str, Any]) -> None:
    """Leave out the name, which the file writes above."""
    del schema["properties"]["name"]
    schema["required"] = [key for key in schema["required"] if key != "name"]
