"""Policies of small graphs, composed from the text of their subgraphs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from support.clock import ManualClock
from support.graphs import FakeGraph, new_context

from graphgw.composition.compose import compose
from graphgw.composition.subgraph import SubgraphSDL
from graphgw.operations.cut import cut
from graphgw.policies.policy_set import PolicySet
from graphgw.stores.memory import MemoryStore
from graphgw.types import ANONYMOUS, JSONObject, Principal

if TYPE_CHECKING:
    from graphgw.operations.operation import Operation
    from graphgw.policies.decision import Decision
    from graphgw.policies.settings import AuthSettings, PolicySettings
    from graphgw.telemetry.events import Event

__all__ = ["HEADER", "Recorder", "Ruled", "ruled"]

HEADER = """
extend schema
  @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@requires",
    "@external", "@shareable", "@authenticated", "@requiresScopes", "@policy",
    "@interfaceObject", "@context", "@fromContext", "@cost", "@listSize",
    "@composeDirective"])
  @link(url: "https://graphgw.dev/policies/v0.1", import: ["@rateLimit", "@allowIps",
    "@cacheControl", "@cacheTag", "@cacheInvalidation", "@owner", "@rowPolicy",
    "@sunset"])
  @composeDirective(name: "@rateLimit")
  @composeDirective(name: "@allowIps")
  @composeDirective(name: "@cacheControl")
  @composeDirective(name: "@cacheTag")
  @composeDirective(name: "@cacheInvalidation")
  @composeDirective(name: "@owner")
  @composeDirective(name: "@rowPolicy")
  @composeDirective(name: "@sunset")
directive @rateLimit(limit: Int!, window: String!, key: [policies__RateKey!],
  keyArgs: [String!], keyClaims: [String!], cost: Int, costFromArg: String, burst: Int,
  bucket: String, message: String) repeatable on FIELD_DEFINITION | OBJECT
directive @allowIps(cidrs: [String!]!) repeatable on FIELD_DEFINITION | OBJECT
directive @cacheControl(maxAge: Int, scope: policies__CacheControlScope,
  inheritMaxAge: Boolean, swr: Int, staleIfError: Int, vary: [String!]) repeatable
  on FIELD_DEFINITION | OBJECT | INTERFACE | UNION
directive @cacheTag(format: String!) repeatable on FIELD_DEFINITION | OBJECT
directive @cacheInvalidation(tags: [String!]!) repeatable on FIELD_DEFINITION
directive @owner(field: String!, claim: String, orScopes: [[String!]!]) repeatable
  on FIELD_DEFINITION | OBJECT
directive @rowPolicy(name: String!) repeatable on FIELD_DEFINITION | OBJECT
directive @sunset(on: String!, replacement: String, since: String) repeatable
  on FIELD_DEFINITION | ARGUMENT_DEFINITION | ENUM_VALUE
enum policies__RateKey { PRINCIPAL IP API_KEY GLOBAL ARGS CLAIMS }
enum policies__CacheControlScope { PUBLIC PRIVATE }
"""


class Recorder:
    """Keeps every event."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def observe(self, event: Event) -> None:
        self.events.append(event)


@dataclass
class Ruled:
    """A graph with its policies; answers what a caller may have."""

    graph: FakeGraph
    policies: PolicySet
    clock: ManualClock
    recorder: Recorder = field(default_factory=Recorder)

    async def decide(
        self,
        query: str,
        principal: Principal = ANONYMOUS,
        variables: JSONObject | None = None,
        **context: Any,
    ) -> Decision:
        """Decide on a query."""
        prepared = self.graph.prepare(query, variables)
        made = new_context(principal=principal, observer=self.recorder, **context)
        return await self.policies.decide(made, prepared.operation, prepared.variables)

    async def refused(
        self, query: str, principal: Principal = ANONYMOUS, **options: Any
    ) -> list[str]:
        """Return the coordinates that a caller may not have."""
        decision = await self.decide(query, principal, **options)
        return [refusal.coordinate for refusal in decision.refusals]

    def operation(self, query: str, variables: JSONObject | None = None) -> Operation:
        """Return the normalized operation of a query."""
        return self.graph.prepare(query, variables).operation

    def cut(self, query: str, decision: Decision) -> Operation:
        """Return what is left of a query."""
        refused = [refusal.selection for refusal in decision.refusals]
        return cut(self.operation(query), refused)


def ruled(
    *sdls: str,
    auth: AuthSettings | None = None,
    policies: PolicySettings | None = None,
    store: Any = None,
    is_alone: bool = False,
) -> Ruled:
    """Compose subgraphs and return the graph with its policies."""
    clock = ManualClock()
    subgraphs = [
        SubgraphSDL(f"s{number}", f"http://s{number}", HEADER + sdl)
        for number, sdl in enumerate(sdls)
    ]
    supergraph = compose(subgraphs).supergraph
    made = PolicySet(
        supergraph,
        auth,
        policies,
        store or MemoryStore(clock=clock),
        clock=clock,
        is_alone=is_alone,
    )
    return Ruled(FakeGraph(supergraph, {}), made, clock)
