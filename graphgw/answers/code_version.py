"""The version of the functions behind a graph: another text for other code."""

from __future__ import annotations

import hashlib
import inspect
import sys
from typing import TYPE_CHECKING, Any, Final

from graphgw.subgraphs.local.subgraph import Subgraph as LocalSubgraph
from graphgw.subgraphs.row_names import version_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from graphgw.subgraphs.protocol import Subgraph

__all__ = ["code_version"]

_NOT_OURS: Final = frozenset({"builtins", "graphgw", "strawberry", "typing"})
_PLAIN: Final = (str, bytes, int, float, bool, type(None))


def code_version(subgraphs: Iterable[Subgraph]) -> str:
    """Return the version of the code that answers for local subgraphs.

    In it is what is loaded of the packages that hold their types and loaders:
    functions, methods and plain values. Other packages that these call are not.
    """
    packages: dict[str, None] = {}
    for subgraph in subgraphs:
        if isinstance(subgraph, LocalSubgraph):
            names = (name.partition(".")[0] for name in _modules_of(subgraph))
            packages.update(dict.fromkeys(names))
    roots = packages.keys() - _NOT_OURS
    found = hashlib.blake2b(digest_size=16)
    for name, module in sorted(sys.modules.items()):
        if name.partition(".")[0] in roots:
            for text in _describe(name, getattr(module, "__dict__", {})):
                found.update(text.encode(errors="backslashreplace") + b"\0")
    return found.hexdigest()


def _modules_of(subgraph: LocalSubgraph) -> Iterator[str]:
    schema = subgraph.schema
    for core_type in schema.core.type_map.values():
        definition = core_type.extensions.get("strawberry-definition")
        yield getattr(getattr(definition, "origin", None), "__module__", "builtins")
        for core_field in getattr(core_type, "fields", {}).values():
            binding: Any = None
            if "strawberry-definition" in core_field.extensions:
                binding = schema.binding(core_field)
            for part in (binding, getattr(binding, "loader", None)):
                function = getattr(part, "function", None)
                yield getattr(function, "__module__", None) or "builtins"
    for keys in schema.entities.values():
        for key in keys:
            yield key.loader.function.__module__


def _describe(owner: str, members: Mapping[str, Any]) -> Iterator[str]:
    """Tell what functions, classes and plain values there are."""
    for name, value in sorted(members.items()):
        place = f"{owner}.{name}"
        plain = inspect.unwrap(value) if callable(value) else value
        plain = getattr(plain, "function", plain)  # a loader's
        if isinstance(plain, classmethod | staticmethod):
            plain = plain.__func__
        elif isinstance(plain, property):
            plain = plain.fget
        if inspect.isfunction(plain):
            yield f"{place} {version_of(plain)}"
        elif inspect.isclass(plain):
            if owner.startswith(plain.__module__):
                yield from _describe(f"{owner}.{name}", _own(plain))
        elif isinstance(value, _PLAIN) and not name.startswith("__"):
            yield f"{place} {value!r}"


def _own(kind: type) -> Mapping[str, Any]:
    return {n: v for n, v in vars(kind).items() if n not in {"__dict__", "__weakref__"}}
