"""The stable hash of a normalized operation."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import orjson

from graphgw.federation.selection import print_selections

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphgw.federation.selection import Selections
    from graphgw.federation.supergraph import OperationKind
    from graphgw.operations.operation import VariableDefinition

__all__ = ["fingerprint_operation"]


def fingerprint_operation(
    kind: OperationKind,
    selections: Selections,
    introspection: Selections,
    places: Iterable[int],
    variables: Iterable[VariableDefinition],
) -> str:
    """Return 16 bytes, in hexadecimal, that stand for all of the arguments."""
    parts = [kind, print_selections(selections), print_selections(introspection)]
    parts.append(" ".join(map(str, places)))
    for variable in variables:
        parts.append(f"${variable.name}: {variable.type}")
        if variable.has_default:
            parts.append(orjson.dumps(variable.default, default=str).decode())
    text = "\0".join(parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
