"""The shared schemas of a document: each is written once and referred to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from graphgw.types import JSONObject

__all__ = ["Components", "describe_with", "make_nullable"]


class Components:
    """Collects schemas by name while a document is written."""

    def __init__(self) -> None:
        self._schemas: JSONObject = {}

    @property
    def schemas(self) -> JSONObject:
        """All schemas, sorted by name."""
        return dict(sorted(self._schemas.items()))

    def refer(self, name: str, write: Callable[[], JSONObject]) -> JSONObject:
        """Return a reference to a schema, which is written at the first one.

        The name is taken before the schema is written, so that it may refer to itself.
        """
        if name not in self._schemas:
            self._schemas[name] = {}
            self._schemas[name] = write()
        return {"$ref": f"#/components/schemas/{name}"}

    def add(self, schemas: Mapping[str, JSONObject]) -> None:
        """Take over schemas that are written already."""
        for name, schema in schemas.items():
            self._schemas.setdefault(name, schema)


def make_nullable(schema: JSONObject) -> JSONObject:
    """Return a schema that null fits too."""
    kind = schema.get("type")
    if kind is not None and "enum" not in schema:
        kinds = kind if isinstance(kind, list) else [kind]
        return {**schema, "type": [*kinds, "null"]}
    if not schema:
        return schema
    if "anyOf" in schema:
        return {**schema, "anyOf": [*schema["anyOf"], {"type": "null"}]}
    return {"anyOf": [schema, {"type": "null"}]}


def describe_with(
    schema: JSONObject, description: str | None, deprecation: str | None
) -> JSONObject:
    """Return a schema with what is told of the place where it stands."""
    texts = [description] if description else []
    if deprecation is not None:
        texts.append(f"Deprecated: {deprecation}")
    return {
        **schema,
        **({"description": "\n\n".join(texts)} if texts else {}),
        **({"deprecated": True} if deprecation is not None else {}),
    }
