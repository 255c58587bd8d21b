"""The version of the functions behind a graph: another text for other code."""

from __future__ import annotations

import hashlib
import inspect
import sys
from typing import TYPE_CHECKING, Any, Final

from graphgw.subgraphs.loaders import Loader
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
            for text in _describe(name, getattr(module, "__dict__", {}), set()):
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


def _describe(owner: str, members: Mapping[str, Any], seen: set[type]) -> Iterator[str]:
    """Tell what functions, classes and plain values there are, each class once."""
    for name, value in sorted(dict(members).items()):
        function = _function_of(value)
        if function is not None:
            yield f"{owner}.{name} {version_of(function)}"
        elif isinstance(value, type):
            is_own = owner.partition(".")[0] == str(value.__module__).partition(".")[0]
            if is_own and value not in seen:
                seen.add(value)
                yield from _describe(f"{owner}.{name}", vars(value), seen)
        elif isinstance(value, _PLAIN) and not name.startswith("__"):
            yield f"{owner}.{name} {value!r}"


def _function_of(value: object) -> object | None:
    """Return the function that is in a member, ``None`` if it is something else."""
    if isinstance(value, Loader):
        value = value.function
    elif isinstance(value, classmethod | staticmethod):
        value = value.__func__
    elif isinstance(value, property):
        value = value.fget
    return inspect.unwrap(value) if inspect.isfunction(value) else None
