"""The table of who may have what."""

from __future__ import annotations

from support.policies import ruled

from graphgw.policies.auth_matrix import print_auth_matrix


def test_every_guarded_field_is_a_line():
    graph = ruled(
        """
        type Query {
          open: Int
          me: User
          staff: Int @policy(policies: [["is_staff"]])
          office: Int @authenticated @allowIps(cidrs: ["10.0.0.0/8"])
        }
        type User @authenticated {
          name: String
          salary: Int @requiresScopes(scopes: [["hr", "pay"], ["admin"]])
        }
        """
    )

    text = print_auth_matrix(graph.graph.supergraph)

    assert text == (
        "field         anonymous  authenticated  admin  hr + pay\n"
        "Query.me      -          yes            yes    yes\n"
        "Query.office  -          asks           asks   asks\n"
        "Query.staff   asks       asks           asks   asks\n"
        "User.name     -          yes            yes    yes\n"
        "User.salary   -          -              yes    yes\n"
    )


def test_a_graph_without_rules_says_so():
    graph = ruled("type Query { open: Int }")

    text = print_auth_matrix(graph.graph.supergraph)

    assert text == "No field has an auth rule.\n"
