"""What the names in one subgraph's SDL mean to federation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from graphql import DirectiveDefinitionNode

from graphgw.federation.api_schema import KEPT_DIRECTIVES
from graphgw.federation.links import APOLLO, directive_arguments, schema_nodes
from graphgw.federation.rule_definitions import RULE_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphql import ConstDirectiveNode, DocumentNode

    from graphgw.composition.findings import Findings
    from graphgw.federation.links import Links
    from graphgw.types import JSON

__all__ = ["Names"]

_FEDERATION_1: Final = frozenset({"key", "extends", "external", "provides", "requires"})

_FEDERATION_2: Final = _FEDERATION_1 | {
    "composeDirective",
    "context",
    "fromContext",
    "interfaceObject",
    "override",
    "shareable",
}

_BUILT_IN: Final = KEPT_DIRECTIVES | {"link", "core"}

_MACHINERY_TYPES: Final = frozenset({"_Any", "_Entity", "_Service", "_FieldSet"})

_MACHINERY_PREFIXES: Final = ("federation__", "link__", "core__", "join__")


class Names:
    """Resolves the names of one subgraph; complains once about each it cannot."""

    def __init__(
        self, document: DocumentNode, links: Links, findings: Findings, subgraph: str
    ) -> None:
        self._links = links
        self._findings = findings
        self._subgraph = subgraph
        self.is_federation_2 = links.spec("federation") is not None
        self._defined = {
            node.name.value
            for node in document.definitions
            if isinstance(node, DirectiveDefinitionNode)
        }
        self.composed = frozenset(self._composed(document))

    def canonical(self, name: str) -> str | None:
        """Return what ``@name`` is to federation, ``None`` if it is nothing to it."""
        meaning = self._links.directive(name)
        if meaning.link is not None and meaning.link.is_apollo:
            return None if meaning.is_in("link") else meaning.name
        if meaning.name in RULE_NAMES:
            return meaning.name
        if name in self.composed:
            return name
        if name in _FEDERATION_1 and not self.is_federation_2:
            return name
        if name not in self._defined and name not in _BUILT_IN:
            self._report_unknown(name, is_linked=meaning.link is not None)
        return None

    def applied(
        self, directives: tuple[ConstDirectiveNode, ...] | None
    ) -> Iterator[tuple[str, dict[str, JSON]]]:
        """Yield the canonical names and arguments of the directives that count."""
        for directive in directives or ():
            name = self.canonical(directive.name.value)
            if name is not None:
                yield name, directive_arguments(directive)

    def is_machinery(self, type_name: str) -> bool:
        """Tell whether a type belongs to federation, not to the schema."""
        if type_name in _MACHINERY_TYPES or type_name.startswith(_MACHINERY_PREFIXES):
            return True
        link = self._links.type(type_name).link
        return link is not None and link.identity.startswith(APOLLO)

    def is_composed(self, name: str) -> bool:
        """Tell whether the supergraph takes over a directive of the subgraph's own."""
        return (
            name in self.composed and self._links.directive(name).name not in RULE_NAMES
        )

    def is_directive_machinery(self, name: str) -> bool:
        """Tell whether the definition of ``@name`` is federation's, or a policy's."""
        meaning = self._links.directive(name)
        if meaning.link is not None and meaning.link.is_apollo:
            return True
        return meaning.name in RULE_NAMES | _FEDERATION_2 | {"link", "core"}

    def _report_unknown(self, name: str, *, is_linked: bool) -> None:
        subgraph = f'subgraph "{self._subgraph}"'
        if name in _FEDERATION_2:
            self._findings.problem(
                f'{subgraph} uses "@{name}" without importing it',
                mend=f'Add "@{name}" to the import of its @link to federation.'
                if self.is_federation_2
                else f'Link its schema to Federation 2 and import "@{name}".',
            )
        elif not is_linked:
            self._findings.problem(
                f'{subgraph} uses "@{name}", which is not defined',
                mend="Define the directive, or mend its name.",
            )

    def _composed(self, document: DocumentNode) -> Iterator[str]:
        for node in schema_nodes(document):
            for directive in node.directives or ():
                meaning = self._links.directive(directive.name.value)
                name = directive_arguments(directive).get("name")
                if meaning.name == "composeDirective" and isinstance(name, str):
                    yield name.removeprefix("@")
