"""What a schema's names mean: ``@link`` and ``@core`` resolved to specifications.

See https://specs.apollo.dev/link/v1.0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from graphql import (
    SchemaDefinitionNode,
    SchemaExtensionNode,
    value_from_ast_untyped,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from graphql import DirectiveNode, DocumentNode

    from graphgw.types import JSON

__all__ = [
    "APOLLO",
    "Link",
    "Links",
    "Meaning",
    "directive_arguments",
    "link_from_arguments",
    "read_links",
    "schema_nodes",
]

APOLLO: Final = "https://specs.apollo.dev/"
"""Where the identities of federation's own specifications begin."""

_VERSION: Final = re.compile(r"v(\d+)\.(\d+)")
_NAME: Final = re.compile(r"[_A-Za-z][_0-9A-Za-z]*")


@dataclass(frozen=True, slots=True)
class Link:
    """One ``@link``: a specification and the names it has in this schema.

    ``identity`` is the URL without its version. ``imports`` maps a name as the
    specification has it to the name here; directives begin with ``@``.
    """

    url: str
    identity: str
    version: tuple[int, int] | None
    name: str
    """The specification's own name, the last part of its identity."""
    prefix: str
    imports: Mapping[str, str] = field(default_factory=dict)
    purpose: str | None = None
    line: int | None = None

    @property
    def is_apollo(self) -> bool:
        """Tell whether the specification is one of federation's own."""
        return self.identity.startswith(APOLLO)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a name stands for: an element of a linked specification.

    ``link`` is ``None`` for a name that belongs to the schema itself.
    """

    link: Link | None
    name: str

    def is_in(self, spec: str) -> bool:
        """Tell whether the element is from federation's specification ``spec``."""
        return self.link is not None and self.link.identity == APOLLO + spec


class Links:
    """Every link of one schema; answers what a name means."""

    __slots__ = ("_by_prefix", "_imported", "all")

    def __init__(self, links: Iterable[Link]) -> None:
        self.all = tuple(links)
        self._by_prefix = {link.prefix: link for link in self.all}
        self._imported = {
            local: (link, name)
            for link in self.all
            for name, local in link.imports.items()
        }

    def spec(self, name: str) -> Link | None:
        """Return the link to federation's specification ``name``."""
        identity = APOLLO + name
        return next((link for link in self.all if link.identity == identity), None)

    def directive(self, name: str) -> Meaning:
        """Say what the directive ``@name`` means."""
        imported = self._imported.get("@" + name)
        if imported:
            return Meaning(imported[0], imported[1].removeprefix("@"))
        if name in self._by_prefix:
            link = self._by_prefix[name]
            return Meaning(link, link.name)
        return self._prefixed(name)

    def type(self, name: str) -> Meaning:
        """Say what the type ``name`` means."""
        imported = self._imported.get(name)
        return Meaning(*imported) if imported else self._prefixed(name)

    def _prefixed(self, name: str) -> Meaning:
        prefix, separator, element = name.partition("__")
        link = self._by_prefix.get(prefix) if separator and prefix else None
        return Meaning(link, element) if link else Meaning(None, name)


def schema_nodes(
    document: DocumentNode,
) -> tuple[SchemaDefinitionNode | SchemaExtensionNode, ...]:
    """Return the schema definition and its extensions."""
    return tuple(
        node
        for node in document.definitions
        if isinstance(node, SchemaDefinitionNode | SchemaExtensionNode)
    )


def read_links(document: DocumentNode) -> Links:
    """Read every ``@link``, or ``@core`` of Federation 1, on the schema."""
    directives = tuple(
        directive
        for node in schema_nodes(document)
        for directive in node.directives or ()
    )
    return Links(_links(directives))


def directive_arguments(node: DirectiveNode) -> dict[str, JSON]:
    """Return the arguments that a directive was given, as JSON."""
    return {
        argument.name.value: value_from_ast_untyped(argument.value)
        for argument in node.arguments or ()
    }


def link_from_arguments(
    arguments: Mapping[str, JSON], line: int | None = None
) -> Link | None:
    """Return the link that a ``@link``'s or ``@core``'s arguments describe."""
    url = arguments.get("url", arguments.get("feature"))
    if not isinstance(url, str):
        return None
    identity, name, version = _split_url(url)
    alias = arguments.get("as")
    purpose = arguments.get("for")
    return Link(
        url=url,
        identity=identity,
        version=version,
        name=name,
        prefix=alias if isinstance(alias, str) else name,
        imports=dict(_imports(arguments.get("import"))),
        purpose=purpose if isinstance(purpose, str) else None,
        line=line,
    )


def _links(directives: tuple[DirectiveNode, ...]) -> Iterator[Link]:
    local_names = _linking_names(directives)
    for directive in directives:
        if directive.name.value not in local_names:
            continue
        line = directive.loc.start_token.line if directive.loc else None
        link = link_from_arguments(directive_arguments(directive), line)
        if link:
            yield link


def _linking_names(directives: tuple[DirectiveNode, ...]) -> set[str]:
    """Return what ``@link`` and ``@core`` are called here; they may name themselves."""
    names = {"link", "core"}
    for directive in directives:
        link = link_from_arguments(directive_arguments(directive))
        if link and link.identity in {APOLLO + "link", APOLLO + "core"}:
            if directive.name.value == link.imports.get("@link", "@").removeprefix("@"):
                names.add(directive.name.value)
            elif directive.name.value == link.prefix:
                names.add(link.prefix)
    return names


def _split_url(url: str) -> tuple[str, str, tuple[int, int] | None]:
    """Split a specification's URL into identity, name and version."""
    parts = url.rstrip("/").split("/")
    version = _VERSION.fullmatch(parts[-1])
    if version:
        parts = parts[:-1]
    name = parts[-1] if _NAME.fullmatch(parts[-1]) else ""
    numbers = (int(version[1]), int(version[2])) if version else None
    return "/".join(parts), name, numbers


def _imports(value: JSON) -> Iterator[tuple[str, str]]:
    for item in value if isinstance(value, list) else ():
        if isinstance(item, str):
            yield item, item
        elif isinstance(item, dict) and isinstance(item.get("name"), str):
            yield item["name"], item.get("as") or item["name"]
