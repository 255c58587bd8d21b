"""Supergraph SDL to the supergraph model, in every dialect of the join spec."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from graphql import print_ast

from graphgw.errors import ConfigurationError
from graphgw.federation import read_core, read_join
from graphgw.federation.api_schema import (
    build_schema_of,
    dangling_references,
    problems_of_schema,
    without_hidden,
)
from graphgw.federation.rules import read_rules
from graphgw.federation.sunset import with_sunset_reasons
from graphgw.federation.supergraph import Supergraph
from graphgw.federation.supergraph_document import read_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphql import ConstDirectiveNode

__all__ = ["read_supergraph"]


def read_supergraph(sdl: str) -> Supergraph:
    """Read a supergraph from its SDL.

    Names are resolved through ``@link``, so prefixes and renames do not matter.
    Federation 2 (join v0.2 to v0.5) and Federation 1 (join v0.1, ``@core``) give the
    same model.

    Raises:
        ConfigurationError: Holds every problem found: the SDL does not parse, is
            not a supergraph, demands a specification that is not known, or its
            API schema is not valid.
    """
    document = read_document(sdl)
    if document.is_federation_1:
        types, possible = read_core.read_types(document)
    else:
        types = read_join.read_types(document)
        possible = read_join.read_possible(document, types)

    def is_hidden(directives: Sequence[ConstDirectiveNode]) -> bool:
        return any(
            meaning.name == "inaccessible" and not meaning.is_in("join")
            for directive in directives
            for meaning in [document.links.directive(directive.name.value)]
        )

    rules = read_rules(document)
    visible = without_hidden(document.types, is_hidden)
    document.problems.extend(dangling_references(document.types, visible))
    if document.problems:
        raise ConfigurationError(document.problems)
    schema = build_schema_of(document.types, document.directives, document.schema)
    shown = with_sunset_reasons(visible, rules)
    api_schema = build_schema_of(shown, document.directives, document.schema)
    problems = problems_of_schema(api_schema)
    if problems:
        raise ConfigurationError(problems)
    return Supergraph(
        graphs=document.graphs,
        types=types,
        root_types=document.root_types,
        schema=schema,
        api_schema=api_schema,
        possible=possible,
        rules=rules,
        sdl=sdl,
        hash=sha256(sdl.encode()).hexdigest()[:16],
        directives={name: print_ast(node) for name, node in document.composed.items()},
    )
