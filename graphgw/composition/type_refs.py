"""Type references and how those of several subgraphs become one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphql import ListTypeNode, NamedTypeNode, NonNullTypeNode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from graphql import TypeNode

__all__ = ["TypeRef", "is_output_of", "join_types", "meet_types", "read_type_ref"]


@dataclass(frozen=True, slots=True)
class TypeRef:
    """A reference to a type: a name, or a list of ``item``."""

    is_required: bool
    name: str = ""
    item: TypeRef | None = None

    def __str__(self) -> str:
        text = self.name if self.item is None else f"[{self.item}]"
        return text + "!" if self.is_required else text

    @property
    def named_type(self) -> str:
        """The name inside all lists."""
        return self.name if self.item is None else self.item.named_type


def read_type_ref(node: TypeNode, renames: Mapping[str, str]) -> TypeRef:
    """Read a type reference; root types get the names that ``renames`` gives."""
    is_required = isinstance(node, NonNullTypeNode)
    inner = node.type if isinstance(node, NonNullTypeNode) else node
    if isinstance(inner, ListTypeNode):
        return TypeRef(is_required, item=read_type_ref(inner.type, renames))
    if not isinstance(inner, NamedTypeNode):
        raise TypeError(f"unexpected type reference {inner!r}")
    name = inner.name.value
    return TypeRef(is_required, renames.get(name, name))


def join_types(
    refs: Sequence[TypeRef], is_subtype: Callable[[str, str], bool]
) -> TypeRef | None:
    """Return the most specific output type that covers all of ``refs``.

    It is nullable where any of them is. Names must have one among them that all
    others are subtypes of; otherwise, or where lists meet names, there is none.
    """
    is_required = all(ref.is_required for ref in refs)
    items = [ref.item for ref in refs if ref.item is not None]
    if items:
        item = join_types(items, is_subtype) if len(items) == len(refs) else None
        return TypeRef(is_required, item=item) if item else None
    names = list(dict.fromkeys(ref.name for ref in refs))
    for name in names:
        if all(other == name or is_subtype(other, name) for other in names):
            return TypeRef(is_required, name)
    return None


def meet_types(refs: Sequence[TypeRef]) -> TypeRef | None:
    """Return the input type that every one of ``refs`` accepts: the strictest."""
    is_required = any(ref.is_required for ref in refs)
    items = [ref.item for ref in refs if ref.item is not None]
    if items:
        item = meet_types(items) if len(items) == len(refs) else None
        return TypeRef(is_required, item=item) if item else None
    if len({ref.name for ref in refs}) > 1:
        return None
    return TypeRef(is_required, refs[0].name)


def is_output_of(
    inner: TypeRef, outer: TypeRef, is_subtype: Callable[[str, str], bool]
) -> bool:
    """Tell whether every value of type ``inner`` is one of type ``outer``."""
    if outer.is_required and not inner.is_required:
        return False
    if inner.item is not None and outer.item is not None:
        return is_output_of(inner.item, outer.item, is_subtype)
    if inner.item is not None or outer.item is not None:
        return False
    return inner.name == outer.name or is_subtype(inner.name, outer.name)
