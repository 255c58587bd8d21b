"""What of a schema is going away: ``@deprecated``, and ``@sunset`` with its date."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from graphql import (
    ConstArgumentNode,
    ConstDirectiveNode,
    InputValueDefinitionNode,
    NameNode,
    NonNullTypeNode,
    StringValueNode,
    TypeDefinitionNode,
)

from graphgw.errors import Problem
from graphgw.federation.links import directive_arguments
from graphgw.federation.rules import coordinates

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from graphgw.federation.supergraph import AppliedDirective, Supergraph
    from graphgw.types import JSONObject

__all__ = [
    "Retirement",
    "find_sunset_problems",
    "parse_moment",
    "read_retirements",
    "with_sunset_reasons",
]

_NAME: Final = "sunset"


@dataclass(frozen=True, slots=True)
class Retirement:
    """Something that clients should stop using; times are Unix times.

    ``since`` is when it was deprecated, ``ends`` when it goes; ``None`` where the
    schema does not say.
    """

    coordinate: str
    since: float | None = None
    ends: float | None = None
    replacement: str | None = None


def parse_moment(text: str) -> float:
    """Return the Unix time of a date or a date with a time; in UTC if it is not said.

    Raises:
        ValueError: It is neither.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f'"{text}" is not a date such as 2027-01-31') from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def read_retirements(supergraph: Supergraph) -> dict[str, Retirement]:
    """Return everything that is deprecated or has an end, by coordinate.

    Where several subgraphs name a date, the earliest counts.
    """
    found: dict[str, Retirement] = {}
    for type_ in supergraph.schema.type_map.values():
        if not isinstance(type_.ast_node, TypeDefinitionNode):
            continue
        for coordinate, node in coordinates(type_.ast_node):
            sunsets = _sunsets(supergraph.rules.get(coordinate, ()))
            if sunsets or _deprecation(node) is not None:
                found[coordinate] = _retire(coordinate, sunsets)
    return found


def find_sunset_problems(supergraph: Supergraph) -> Iterator[Problem]:
    """Yield what is wrong with the ``@sunset`` of a supergraph: dates, replacements."""
    known: dict[str, Any] = {}
    for type_ in supergraph.schema.type_map.values():
        if isinstance(type_.ast_node, TypeDefinitionNode):
            known.update(coordinates(type_.ast_node))
    for coordinate, applied in supergraph.rules.items():
        for given in _sunsets(applied):
            for name in ("on", "since"):
                try:
                    parse_moment(str(given.get(name) or "1970-01-01"))
                except ValueError as error:
                    yield Problem(f"@sunset({name}:): {error}", coordinate)
            replacement = given.get("replacement")
            if replacement is not None and replacement not in known:
                yield Problem(
                    f'@sunset(replacement:): there is no "{replacement}"',
                    coordinate,
                    "write a coordinate: Type, Type.field, Type.field(argument:)"
                    " or Enum.VALUE",
                )
            if _is_required(known.get(coordinate)):
                yield Problem(
                    "@sunset: the argument is required, so that nobody can do without",
                    coordinate,
                    "make it nullable first, or give it a default",
                )


def with_sunset_reasons(
    types: Sequence[TypeDefinitionNode],
    rules: Mapping[str, tuple[AppliedDirective, ...]],
) -> list[TypeDefinitionNode]:
    """Return definitions whose ``@deprecated`` tells the date of ``@sunset`` too."""
    dated = {c: sunsets for c, found in rules.items() if (sunsets := _sunsets(found))}
    owners = {coordinate.partition(".")[0] for coordinate in dated}
    return [
        _with_reasons(node, node.name.value, dated)
        if node.name.value in owners
        else node
        for node in types
    ]


def _sunsets(applied: Iterable[AppliedDirective]) -> list[Mapping[str, Any]]:
    return [found.arguments for found in applied if found.name == _NAME]


def _retire(coordinate: str, sunsets: list[Mapping[str, Any]]) -> Retirement:
    def earliest(name: str) -> float | None:
        texts = [str(given[name]) for given in sunsets if given.get(name) is not None]
        return min(map(parse_moment, texts), default=None)

    names = (str(s["replacement"]) for s in sunsets if s.get("replacement"))
    return Retirement(coordinate, earliest("since"), earliest("on"), next(names, None))


def _with_reasons(
    node: Any, coordinate: str, dated: Mapping[str, list[Mapping[str, Any]]]
) -> Any:
    """Add the dates to a definition and to all it holds."""
    for part in ("fields", "values"):
        members = getattr(node, part, None)
        if members:
            changed = (
                _with_reasons(member, f"{coordinate}.{member.name.value}", dated)
                for member in members
            )
            node = replace(node, **{part: tuple(changed)})
    arguments = getattr(node, "arguments", None)
    if arguments:
        changed = (
            _with_reasons(inner, f"{coordinate}({inner.name.value}:)", dated)
            for inner in arguments
        )
        node = replace(node, arguments=tuple(changed))
    if coordinate not in dated or _is_required(node):
        return node
    others = (d for d in node.directives or () if d.name.value != "deprecated")
    reason = _reason(_deprecation(node), dated[coordinate])
    return replace(node, directives=(*others, _deprecated(reason)))


def _reason(before: JSONObject | None, sunsets: list[Mapping[str, Any]]) -> str:
    stated = (before or {}).get("reason")
    first = min(sunsets, key=lambda given: str(given.get("on")))
    replacement = first.get("replacement")
    parts = [f"{str(stated).rstrip('.')}."] if stated else []
    if replacement and str(replacement) not in str(stated):
        parts.append(f"Use {replacement}.")
    parts.append(f"Gone from {first.get('on')}.")
    return " ".join(parts)


def _deprecation(node: Any) -> JSONObject | None:
    """Return the arguments of ``@deprecated``, ``None`` where it is not applied."""
    for directive in node.directives or ():
        if directive.name.value == "deprecated":
            return directive_arguments(directive)
    return None


def _deprecated(reason: str) -> ConstDirectiveNode:
    argument = ConstArgumentNode(
        name=NameNode(value="reason"), value=StringValueNode(value=reason)
    )
    return ConstDirectiveNode(name=NameNode(value="deprecated"), arguments=(argument,))


def _is_required(node: Any) -> bool:
    return (
        isinstance(node, InputValueDefinitionNode)
        and isinstance(node.type, NonNullTypeNode)
        and node.default_value is None
    )
