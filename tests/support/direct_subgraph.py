"""A fixture's subgraph at the seam, without a network between."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphgw.planning.print_document import print_fetch_document
from graphgw.subgraphs.protocol import FetchError, FetchResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from support.fixture_graph import FixtureGraph

    from graphgw.context import RequestContext
    from graphgw.operations.operation import VariableDefinition
    from graphgw.planning.plan import Fetch
    from graphgw.types import JSONObject

__all__ = ["DirectSubgraph"]


@dataclass
class DirectSubgraph:
    """A fixture's subgraph, asked without a network between."""

    graph: FixtureGraph

    @property
    def name(self) -> str:
        """The subgraph's name."""
        return self.graph.name

    def prepare(
        self, fetch: Fetch, variables: Sequence[VariableDefinition]
    ) -> _DirectFetch:
        """Print the fetch once."""
        return _DirectFetch(self.graph, fetch, print_fetch_document(fetch, variables))


@dataclass
class _DirectFetch:
    graph: FixtureGraph
    fetch: Fetch
    document: str

    def code(self) -> str:
        return self.document

    async def run(
        self,
        context: RequestContext,
        variables: JSONObject,
        representations: Sequence[JSONObject],
    ) -> FetchResult:
        del context
        sent: dict[str, Any] = dict(variables)
        if self.fetch.inputs:
            sent["representations"] = list(representations)
        body = {"query": self.document, "variables": sent}
        answer = json.loads(json.dumps(self.graph.answer(body)))
        skip = 1 if self.fetch.inputs else 0
        errors = tuple(
            FetchError(error["message"], tuple(error.get("path", ())[skip:]))
            for error in answer.get("errors", ())
        )
        data = answer["data"]
        if self.fetch.inputs and data is not None:
            data = data["_entities"]
        return FetchResult(data, errors)
