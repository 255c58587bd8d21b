"""A graph of two subgraphs with one rule at every place, and every way to them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from support.fake_subgraph import FakeSubgraph
from support.policies import HEADER

from graphgw.composition.compose import compose
from graphgw.composition.subgraph import SubgraphSDL
from graphgw.operations.settings import LimitSettings
from graphgw.planning.settings import PlanningSettings
from graphgw.policies.policy_set import PolicySet
from graphgw.policies.row_functions import row_policy
from graphgw.snapshot import Snapshot

if TYPE_CHECKING:
    from graphgw.federation.supergraph import Supergraph
    from graphgw.operations.worker import ColdWorker
    from graphgw.policies.settings import AuthSettings, PolicySettings

__all__ = ["RULES", "WAYS", "GuardedGraph", "Way", "compose_guarded", "may", "owns"]

SECRET = "S3CRET"  # noqa: S105 - a marker to be found in answers

RULES = {
    "authenticated": "@authenticated",
    "scopes": '@requiresScopes(scopes: [["read"]])',
    "policy": '@policy(policies: [["may"]])',
    "addresses": '@allowIps(cidrs: ["10.0.0.0/8"])',
    "owner": '@owner(field: "owner")',
    "rows": '@rowPolicy(name: "owns")',
}


@dataclass(frozen=True)
class Way:
    """A query that leads to something guarded, and what shows that it came."""

    query: str
    shows: str = SECRET
    asks: str = r"\b(secret|text|derived|remote|label|change|guarded)\b"
    """What no subgraph may be asked for where it is refused."""
    has_row: bool = True


WAYS = {
    "field": Way("{ thing { secret } }"),
    "alias": Way("{ x: thing { y: secret } }"),
    "list": Way("{ things { secret } }"),
    "inline-fragment": Way("{ thing { ... on Thing { secret } } }"),
    "named-fragment": Way("{ thing { ...F } } fragment F on Thing { secret }"),
    "interface": Way("{ node { secret } }"),
    "interface-fragment": Way("{ node { ... on Thing { secret } } }"),
    "interface-of-interface": Way("{ thing { ... on Node { secret } } }"),
    "declared-on-interface": Way("{ node { label } }"),
    "implementation": Way("{ thing { label } }"),
    "union": Way("{ any { ... on Thing { secret } } }"),
    "union-by-interface": Way("{ any { ... on Node { secret } } }"),
    "type": Way("{ thing { part { text } } }"),
    "type-in-list": Way("{ things { parts { text } } }"),
    "typename-only": Way("{ thing { part { __typename } } }", '"__typename":"Part"'),
    "requires": Way("{ thing { derived } }"),
    "entity": Way("{ thing { remote } }"),
    "entity-beside-others": Way("{ thing { id open other remote } }"),
    "behind-an-entity": Way("{ thing { friend { remote secret } } }"),
    "payload": Way("mutation { open { secret } }", asks=r"\b(secret)\b"),
    "mutation": Way("mutation { guarded }", has_row=False),
}


async def may(context, _arguments):
    return "read" in context.principal.scopes


@row_policy(reads="owner")
async def owns(context, rows, _arguments):
    return [row["owner"] == context.principal.subject for row in rows]


def compose_guarded(rule: str, *, is_row: bool) -> Supergraph:
    """Compose the graph with a rule at every guarded place."""
    on_mutation = "" if is_row else rule
    first = f"""
    type Query {{
      thing: Thing  things: [Thing!]!  node: Node  any: [Any]  plain: Int
    }}
    type Mutation {{ open: Thing  guarded: String {on_mutation} }}
    interface Node {{
      id: ID!  owner: ID!  secret: String
      label: String {rule}
    }}
    type Thing implements Node @key(fields: "id") {{
      id: ID!  owner: ID!  open: String
      secret: String {rule}
      label: String
      part: Part  parts: [Part]
      friend: Thing
    }}
    type Other implements Node {{
      id: ID!  owner: ID!  secret: String  label: String
    }}
    type Part {rule} {{ owner: ID!  text: String }}
    union Any = Thing | Other
    """
    second = f"""
    type Thing @key(fields: "id") {{
      id: ID!
      other: String
      secret: String @external
      derived: String @requires(fields: "secret")
      remote: String {rule}
    }}
    """
    subgraphs = [
        SubgraphSDL("first", "http://first", HEADER + first),
        SubgraphSDL("second", "http://second", HEADER + second),
    ]
    return compose(subgraphs).supergraph


def _thing(key: str) -> dict[str, Any]:
    part = {"__typename": "Part", "owner": "u1", "text": SECRET}
    return {
        "__typename": "Thing",
        "id": key,
        "owner": "u1",
        "open": "open",
        "secret": SECRET,
        "label": SECRET,
        "part": part,
        "parts": [part, part],
    }


class GuardedGraph:
    """The graph with its policies and two subgraphs that count what they are asked."""

    def __init__(
        self,
        supergraph: Supergraph,
        worker: ColdWorker,
        auth: AuthSettings,
        policies: PolicySettings | None = None,
        *,
        has_rules: bool = True,
    ) -> None:
        if not has_rules:
            supergraph = replace(supergraph, rules={})
        thing = {**_thing("1"), "friend": _thing("2")}
        other = {"__typename": "Other", "id": "3", "owner": "u1", "label": "plain"}
        first_sdl = """
        type Query { thing: Thing things: [Thing!]! node: Node any: [Any] plain: Int }
        type Mutation { open: Thing guarded: String }
        interface Node { id: ID! owner: ID! secret: String label: String }
        type Thing implements Node { id: ID! owner: ID! open: String secret: String
          label: String part: Part parts: [Part] friend: Thing }
        type Other implements Node { id: ID! owner: ID! secret: String label: String }
        type Part { owner: ID! text: String }
        union Any = Thing | Other
        """
        second_sdl = """
        type Query { plain: Int }
        type Thing { id: ID! other: String derived: String remote: String }
        """
        self.first = FakeSubgraph(
            "first",
            first_sdl,
            {
                "thing": thing,
                "things": [thing, _thing("2")],
                "node": thing,
                "any": [thing, other],
                "plain": 1,
                "open": thing,
                "guarded": SECRET,
            },
            {"Thing": [thing, _thing("2")]},
        )
        self.second = FakeSubgraph(
            "second",
            second_sdl,
            {},
            {
                "Thing": [
                    {"id": k, "other": "other", "derived": SECRET, "remote": SECRET}
                    for k in ("1", "2")
                ]
            },
        )
        by_name = {"first": self.first, "second": self.second}
        self.snapshot = Snapshot(
            supergraph,
            {graph.id: by_name[graph.name] for graph in supergraph.graphs.values()},
            policies=PolicySet(supergraph, auth, policies),
            limits=LimitSettings(),
            planning=PlanningSettings(),
            worker=worker,
        )

    @property
    def documents(self) -> list[str]:
        """Everything that the subgraphs were asked."""
        return self.first.documents + self.second.documents

    def forget(self) -> None:
        """Forget what was asked."""
        for subgraph in (self.first, self.second):
            subgraph.documents.clear()
            subgraph.calls.clear()
