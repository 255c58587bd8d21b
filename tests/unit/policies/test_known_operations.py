"""What is known of operations, and that nobody looks for rules where none are."""

from __future__ import annotations

import pytest
from support.policies import ruled

from graphgw.types import ANONYMOUS

SDL = """
type Query {
  open: Int
  known: Int @authenticated
  limited: Int @rateLimit(limit: 1, window: "1m")
  kept: Int @cacheControl(maxAge: 60)
  going: Int @deprecated @sunset(on: "2999-01-01")
}
type Mutation { change: Int @cacheInvalidation(tags: ["all"]) }
"""


@pytest.mark.parametrize(
    ("query", "is_open", "is_bare"),
    [
        pytest.param("{ open }", True, True, id="nothing"),
        pytest.param("{ open known }", False, False, id="auth"),
        pytest.param("{ limited }", False, False, id="limit"),
        pytest.param("{ kept }", True, False, id="hint"),
        pytest.param("{ going }", False, False, id="sunset"),
        pytest.param("mutation { change }", False, False, id="invalidation"),
    ],
)
def test_an_operation_is_told_apart_the_first_time_and_later(query, is_open, is_bare):
    graph = ruled(SDL)
    operation = graph.operation(query)

    found = [graph.policies.is_open(operation) for _ in range(3)]

    assert found == [is_open] * 3
    assert (operation.fingerprint in graph.policies._bare) is is_bare


async def test_an_operation_that_no_hint_concerns_has_no_age():
    graph = ruled(SDL)
    operation, kept = graph.operation("{ open }"), graph.operation("{ kept }")

    for _ in range(2):
        decision = await graph.decide("{ open }")
        headers = graph.policies.response_headers(
            operation, has_errors=False, principal=ANONYMOUS
        )
        assert headers == ()
        assert graph.policies.public_control(operation) is None
        assert decision.refusals == ()

    assert graph.policies.response_headers(kept, has_errors=False, principal=ANONYMOUS)


def test_many_operations_do_not_fill_the_memory():
    graph = ruled(SDL)
    names = [f"{{ a{number}: open }}" for number in range(1100)]

    assert all(graph.policies.is_open(graph.operation(name)) for name in names)

    assert len(graph.policies._bare) <= 500
