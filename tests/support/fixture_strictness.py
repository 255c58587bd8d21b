"""What a strict subgraph refuses: fields that it does not own, poor representations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from graphql import DocumentNode
    from support.fixture_schema import SubgraphSchema

__all__ = ["check_document", "check_representation", "fits_key", "has_fields"]


def check_document(
    document: DocumentNode, described: SubgraphSchema, taken: set[tuple[str, str]]
) -> list[str]:
    """Find fields that are external and not provided here, or overridden elsewhere."""
    found: list[str] = []

    def visit(
        selections: SelectionSetNode, parent: str, provided: list[SelectionSetNode]
    ) -> None:
        for type_name, item in _fields(document, selections, parent):
            name = item.name.value
            is_provided = any(
                name == other.name.value
                for each in provided
                for _, other in _fields(document, each, type_name)
            )
            for owner in described.possible(type_name):
                where = (owner, name)
                is_external = where in described.external and not is_provided
                if is_external and where not in described.requires:
                    found.append(f"{owner}.{name} is external")
                if where in taken:
                    found.append(f"{owner}.{name} is overridden")
            if item.selection_set is None:
                continue
            inner = [
                other.selection_set
                for each in provided
                for _, other in _fields(document, each, type_name)
                if other.name.value == name and other.selection_set is not None
            ]
            if (type_name, name) in described.provides:
                inner.append(described.provides[type_name, name])
            visit(item.selection_set, _type_of(described, type_name, name), inner)

    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            root = described.schema.get_root_type(definition.operation)
            assert root is not None
            visit(definition.selection_set, root.name, [])
    return found


def check_representation(
    sent: dict[str, Any], document: DocumentNode, described: SubgraphSchema
) -> list[str]:
    """Find what a representation lacks, or has too much."""
    type_name = sent.get("__typename")
    keys = [key for key in described.keys.get(type_name or "", ()) if key.resolvable]
    if type_name is None or not keys:
        return [f"no reference resolver for {type_name}: {sent}"]
    found: list[str] = []
    if not any(has_fields(sent, key.fields, described) for key in keys):
        found.append(f"no whole key of {type_name}: {sent}")
    wanted = [
        described.requires[type_name, item.name.value]
        for owner, item in _entity_fields(document)
        if owner == type_name and (type_name, item.name.value) in described.requires
    ]
    found += [
        f"{type_name} lacks a required field: {sent}"
        for fields in wanted
        if not has_fields(sent, fields, described)
    ]
    known = [key.fields for key in keys] + wanted
    found += [f"{type_name}.{name} was not needed" for name in _surplus(sent, known)]
    return found


def has_fields(
    sent: Any, selections: SelectionSetNode, described: SubgraphSchema
) -> bool:
    """Tell whether an object has all fields; a null object lacks none."""
    if isinstance(sent, list):
        return all(has_fields(item, selections, described) for item in sent)
    if sent is None:
        return True
    if not isinstance(sent, dict):
        return False
    for item in selections.selections:
        if isinstance(item, FieldNode):
            name = item.name.value
            if name not in sent:
                return False
            inner = item.selection_set
            if inner is not None and not has_fields(sent[name], inner, described):
                return False
        elif isinstance(item, InlineFragmentNode):
            assert item.type_condition is not None
            matching = described.possible(item.type_condition.name.value)
            if sent.get("__typename") in matching and not has_fields(
                sent, item.selection_set, described
            ):
                return False
    return True


def fits_key(
    row: Any, sent: Any, selections: SelectionSetNode, follow: Callable[[Any], Any]
) -> bool:
    """Tell whether a row is the one that a representation's key names."""
    row = follow(row)
    if isinstance(row, list) and isinstance(sent, list):
        return len(row) == len(sent) and all(
            fits_key(left, right, selections, follow)
            for left, right in zip(row, sent, strict=True)
        )
    if not isinstance(row, dict) or not isinstance(sent, dict):
        return row is None and sent is None
    for item in selections.selections:
        if not isinstance(item, FieldNode):
            continue
        left, right = row.get(item.name.value), sent.get(item.name.value)
        if item.selection_set is not None:
            if not fits_key(left, right, item.selection_set, follow):
                return False
        elif left != right:
            return False
    return True


def _surplus(sent: Any, allowed: Sequence[SelectionSetNode]) -> Iterator[str]:
    if isinstance(sent, list):
        for item in sent:
            yield from _surplus(item, allowed)
    if not isinstance(sent, dict):
        return
    known: dict[str, list[SelectionSetNode]] = {"__typename": []}
    _collect(allowed, known)
    for name, value in sent.items():
        if name not in known:
            yield name
        else:
            yield from _surplus(value, known[name])


def _collect(
    sets: Sequence[SelectionSetNode], known: dict[str, list[SelectionSetNode]]
) -> None:
    for each in sets:
        for item in each.selections:
            if isinstance(item, FieldNode):
                inner = known.setdefault(item.name.value, [])
                inner += [item.selection_set] if item.selection_set else []
            elif isinstance(item, InlineFragmentNode):
                _collect([item.selection_set], known)


def _entity_fields(document: DocumentNode) -> Iterator[tuple[str, FieldNode]]:
    for definition in document.definitions:
        if not isinstance(definition, OperationDefinitionNode):
            continue
        for item in definition.selection_set.selections:
            if isinstance(item, FieldNode) and item.name.value == "_entities":
                assert item.selection_set is not None
                yield from _fields(document, item.selection_set, "_Entity")


def _fields(
    document: DocumentNode, selections: SelectionSetNode, parent: str
) -> Iterator[tuple[str, FieldNode]]:
    """Yield the fields of a selection set with the type each is selected on."""
    for item in selections.selections:
        if isinstance(item, FieldNode):
            if not item.name.value.startswith("__"):
                yield parent, item
        elif isinstance(item, InlineFragmentNode):
            name = item.type_condition.name.value if item.type_condition else parent
            yield from _fields(document, item.selection_set, name)
        elif isinstance(item, FragmentSpreadNode):
            fragment = next(
                definition
                for definition in document.definitions
                if isinstance(definition, FragmentDefinitionNode)
                and definition.name.value == item.name.value
            )
            name = fragment.type_condition.name.value
            yield from _fields(document, fragment.selection_set, name)


def _type_of(described: SubgraphSchema, type_name: str, field_name: str) -> str:
    field = described.schema.type_map[type_name].fields[field_name]  # type: ignore[attr-defined]  # checked
    return str(get_named_type(field.type))
