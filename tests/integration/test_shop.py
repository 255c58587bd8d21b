"""The example graph over its four backends, as a client sees it."""

from __future__ import annotations

import subprocess
import sys
import time

import httpx
import jwt
import pytest
from conftest import RunningGateway, Shop
from support.processes import ROOT

EVERYTHING = """
query Everything($first: Int!) {
  users(first: $first) {
    nodes {
      name
      orders(first: 3) {
        nodes { id status items { quantity product { name price { amount } } } }
      }
      notifications(first: 3) { unreadCount nodes { kind title } }
    }
  }
}
"""


@pytest.fixture(scope="session")
def token() -> str:
    """Return a development token of user u1 that has every scope."""
    return mint("orders:read orders:write users:contact")


def mint(scopes: str, *options: str) -> str:
    command = (sys.executable, "-m", "graphgw.cli.main", "token", "--scopes", scopes)
    done = subprocess.run(  # noqa: S603 - our own command
        [*command, *options], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def codes(answer: dict) -> list[str]:
    return [error["extensions"]["code"] for error in answer.get("errors", [])]


def test_one_question_spans_all_four_services(gateway: RunningGateway):
    answer = gateway.ask(EVERYTHING, {"first": 10})

    assert "errors" not in answer
    users = answer["data"]["users"]["nodes"]
    assert len(users) == 10
    orders = [order for user in users for order in user["orders"]["nodes"]]
    assert orders
    assert all(item["product"]["name"] for order in orders for item in order["items"])
    assert any(user["notifications"]["nodes"] for user in users)


def test_a_page_of_users_costs_one_call_for_each_backend_and_level(
    gateway: RunningGateway, shop: Shop
):
    # Not asked before: what was may be in the cache.
    query = EVERYTHING.replace("orders(first: 3)", "orders(first: 5)")
    shop.reset_calls()

    answer = gateway.ask(query, {"first": 10})

    assert "errors" not in answer
    calls = shop.calls()
    products = {
        item["product"]["name"]
        for user in answer["data"]["users"]["nodes"]
        for order in user["orders"]["nodes"]
        for item in order["items"]
    }
    assert calls["user"] == {"GET /users": (1, 0)}
    assert calls["order"] == {"OrderService/ListByUsers": (1, 10)}
    assert calls["notification"] == {"NotificationService/ListByUsers": (1, 10)}
    assert set(calls["product"]) <= {"GET /products?ids"}
    for counted, keys in calls["product"].values():
        assert counted == 1
        assert keys <= len(products) + 5


def test_only_the_key_of_an_entity_costs_no_call(gateway: RunningGateway, shop: Shop):
    shop.reset_calls()

    answer = gateway.ask('{ order(id: "o77") { id user { id } } }')

    assert answer == {"data": {"order": {"id": "o77", "user": {"id": "u1"}}}} or (
        answer["data"]["order"]["user"]["id"].startswith("u")
    )
    assert shop.calls()["user"] == {}


def test_backends_are_told_the_deadline(gateway: RunningGateway, shop: Shop):
    shop.reset_calls()

    gateway.ask("{ users(first: 1) { nodes { orders(first: 1) { totalCount } } } }")

    found = httpx.get(f"http://127.0.0.1:{shop.processes['user'].port}/_calls").json()
    assert found["GET /users"]["with_deadline"] == found["GET /users"]["calls"] == 1
    assert 0 < found["GET /users"]["last_timeout_ms"] <= 10_100


def test_protected_fields_are_null_for_the_anonymous(
    gateway: RunningGateway, shop: Shop
):
    shop.reset_calls()

    answer = gateway.ask("{ me { id } }")

    assert answer["data"] == {"me": None}
    (error,) = answer["errors"]
    assert error["path"] == ["me"]
    assert error["extensions"] == {
        "code": "UNAUTHORIZED_FIELD_OR_TYPE",
        "coordinate": "Query.me",
    }
    assert all(not endpoints for endpoints in shop.calls().values())


def test_a_token_opens_what_its_scopes_allow(gateway: RunningGateway, token: str):
    query = "{ me { id email phone orders(first: 1) { nodes { total { cents } } } } }"

    with_scopes = gateway.ask(query, token=token)
    without = gateway.ask(query, token=mint(""))

    assert "errors" not in with_scopes
    assert with_scopes["data"]["me"]["email"]
    assert without["data"]["me"]["email"]
    assert without["data"]["me"]["phone"] is None
    assert without["data"]["me"]["orders"]["nodes"][0]["total"] is None
    assert {e["extensions"]["coordinate"] for e in without["errors"]} == {
        "User.phone",
        "Order.total",
    }


def test_an_email_is_for_its_owner_and_for_those_who_write_to_users(
    gateway: RunningGateway, token: str
):
    query = "{ users(first: 3) { nodes { id email } } }"

    own = gateway.ask(query, token=mint("", "--subject", "u2"))
    every = gateway.ask(query, token=token)
    none = gateway.ask(query)

    assert [bool(u["email"]) for u in own["data"]["users"]["nodes"]] == [
        u["id"] == "u2" for u in own["data"]["users"]["nodes"]
    ]
    assert [e["path"] for e in own["errors"]] == [["users", "nodes"]]
    assert all(user["email"] for user in every["data"]["users"]["nodes"])
    assert not any(user["email"] for user in none["data"]["users"]["nodes"])


def test_a_note_is_for_the_buyer(gateway: RunningGateway):
    query = '{ order(id: "o77") { id note user { id } } }'
    buyer = gateway.ask(query)["data"]["order"]["user"]["id"]

    own = gateway.ask(query, token=mint("", "--subject", buyer))
    other = gateway.ask(query, token=mint("", "--subject", "somebody"))

    assert "errors" not in own
    assert codes(other) == ["UNAUTHORIZED_FIELD_OR_TYPE"]
    assert other["errors"][0]["path"] == ["order", "note"]


def test_orders_are_kept_until_one_is_created(
    gateway: RunningGateway, shop: Shop, token: str
):
    query = '{ user(id: "u994") { orders(first: 9) { totalCount } } }'
    create = (
        'mutation { createOrder(order: {userId: "u994", items: [{productId: "p1"}]})'
        " { id } }"
    )
    before = gateway.ask(query)["data"]["user"]["orders"]["totalCount"]
    shop.reset_calls()

    again = gateway.ask(query)["data"]["user"]["orders"]["totalCount"]

    assert again == before
    assert shop.calls()["order"] == {}
    assert "errors" not in gateway.ask(create, token=token)
    after = gateway.ask(query)["data"]["user"]["orders"]["totalCount"]
    assert after == before + 1


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(lambda token: token[:-4] + "AAAA", id="signature"),
        pytest.param(lambda _: "nonsense", id="no-token"),
        pytest.param(
            lambda _: jwt.encode(
                {"iss": "graphgw-dev", "sub": "u1", "exp": 4102444800},
                "x" * 32,
                algorithm="HS256",
            ),
            id="hs256",
        ),
        pytest.param(
            lambda _: mint("", "--expires", "1s", "--issuer", "someone-else"),
            id="issuer",
        ),
    ],
)
def test_an_invalid_token_is_refused_with_401(
    gateway: RunningGateway, token: str, shop: Shop, broken
):
    shop.reset_calls()

    response = gateway.post("{ users { totalCount } }", token=broken(token))

    assert response.status_code == 401
    assert codes(response.json()) == ["UNAUTHENTICATED"]
    assert "data" not in response.json()
    assert shop.calls()["user"] == {}


def test_mutations_run_in_order_and_read_what_they_wrote(gateway: RunningGateway):
    token = mint("", "--subject", "u900")

    answer = gateway.ask(
        """
        mutation($first: ProfileInput!, $second: ProfileInput!) {
          one: updateProfile(id: "u900", profile: $first) { bio }
          two: updateProfile(id: "u900", profile: $second) { bio name }
        }
        """,
        {"first": {"bio": "one"}, "second": {"bio": "two"}},
        token=token,
    )

    assert "errors" not in answer
    assert answer["data"]["one"] == {"bio": "one"}
    assert answer["data"]["two"]["bio"] == "two"
    assert list(answer["data"]) == ["one", "two"]


def test_nobody_changes_what_belongs_to_another(
    gateway: RunningGateway, shop: Shop, token: str
):
    found = gateway.ask(
        '{ user(id: "u3") { notifications(first: 1) { nodes { id isRead } } } }'
    )
    (other,) = found["data"]["user"]["notifications"]["nodes"]
    change = 'mutation { updateProfile(id: "u2", profile: {bio: "mine"}) { id } }'
    mark = f'mutation {{ markNotificationRead(id: "{other["id"]}") {{ isRead }} }}'
    shop.reset_calls()

    answers = [gateway.ask(change, token=token), gateway.ask(mark, token=token)]

    for answer in answers:
        assert codes(answer) == ["UNAUTHORIZED_FIELD_OR_TYPE"]
    assert "PATCH /users/{id}" not in shop.calls()["user"]
    assert "NotificationService/MarkRead" not in shop.calls()["notification"]
    own = mint("", "--subject", "u3")
    assert gateway.ask(mark, token=own)["data"]["markNotificationRead"]["isRead"]


def test_a_created_order_reaches_into_other_services(
    gateway: RunningGateway, token: str
):
    answer = gateway.ask(
        """
        mutation($order: NewOrderInput!) {
          createOrder(order: $order) {
            status
            user { name }
            items { quantity product { name } unitPrice { cents } }
          }
        }
        """,
        {"order": {"userId": "u995", "items": [{"productId": "p3", "quantity": 2}]}},
        token=token,
    )

    assert "errors" not in answer
    order = answer["data"]["createOrder"]
    assert order["status"] == "PENDING"
    assert order["user"]["name"]
    assert order["items"][0]["quantity"] == 2
    assert order["items"][0]["product"]["name"]


def test_a_refused_mutation_says_why_and_calls_nothing(
    gateway: RunningGateway, shop: Shop, token: str
):
    shop.reset_calls()
    mutation = (
        'mutation { createOrder(order: {userId: "u1", items: [{productId: "p1"}]})'
        " { id } }"
    )

    anonymous = gateway.ask(mutation)

    assert anonymous["data"] == {"createOrder": None}
    assert codes(anonymous) == ["UNAUTHORIZED_FIELD_OR_TYPE"]
    assert shop.calls()["order"] == {}

    unknown = gateway.ask(mutation.replace("p1", "p99999"), token=token)
    assert codes(unknown) == ["BAD_USER_INPUT"]
    assert "p99999" in unknown["errors"][0]["message"]


def test_rate_limits_refuse_with_429_and_tell_when_to_come_back(
    gateway: RunningGateway,
):
    token = mint("orders:write", "--subject", "rate-limited")
    mutation = (
        'mutation { createOrder(order: {userId: "u1", items: [{productId: "p99999"}]})'
        " { id } }"
    )

    responses = [gateway.post(mutation, token=token) for _ in range(12)]

    statuses = [response.status_code for response in responses]
    assert statuses == [200] * 10 + [429] * 2
    assert codes(responses[-1].json()) == ["RATE_LIMITED"]
    assert int(responses[-1].headers["retry-after"]) >= 1
    assert "ratelimit-policy" in responses[0].headers


def test_a_stopped_backend_nulls_its_own_fields_only(
    gateway: RunningGateway, shop: Shop
):
    query = """
    { users(first: 3, search: "a") { nodes {
        name
        orders(first: 8) { totalCount }
        notifications(first: 1) { totalCount }
    } } }
    """
    shop.processes["order"].stop()
    try:
        answer = gateway.ask(query)
    finally:
        shop.restart("order")

    users = answer["data"]["users"]["nodes"]
    assert len(users) == 3
    assert all(user["orders"] is None for user in users)
    assert all(user["name"] and user["notifications"] for user in users)
    assert codes(answer) == ["SOURCE_UNREACHABLE"] * 3
    assert [error["path"] for error in answer["errors"]] == [
        ["users", "nodes", index, "orders"] for index in range(3)
    ]


def test_get_answers_queries_and_refuses_mutations(gateway: RunningGateway):
    url = f"{gateway.url}/graphql"

    query = httpx.get(url, params={"query": "{ users { totalCount } }"})
    mutation = httpx.get(
        url, params={"query": 'mutation { markNotificationRead(id: "n1") { id } }'}
    )

    assert query.json() == {"data": {"users": {"totalCount": 1000}}}
    assert mutation.status_code == 405
    assert mutation.headers["allow"]


def test_metrics_and_health_tell_of_the_work(gateway: RunningGateway):
    gateway.ask("query Counted { users(first: 1) { totalCount } }")

    metrics = httpx.get(f"{gateway.url}/metrics").text
    health = httpx.get(f"{gateway.url}/health").json()

    assert 'graphgw_operations_total{kind="query",status="200"}' in metrics
    assert 'graphgw_fetches_total{outcome="ok",subgraph="user"}' in metrics
    assert "graphgw_batch_keys_bucket" in metrics
    assert 'graphgw_plan_cache_total{result="hit"}' in metrics
    assert health == {"status": "ready"}


def test_each_operation_writes_one_line(gateway: RunningGateway):
    gateway.ask("query LoggedOnce { users(first: 1) { totalCount } }")

    ends = time.monotonic() + 5
    lines: list[str] = []
    while not lines and time.monotonic() < ends:
        time.sleep(0.02)
        lines = [line for line in gateway.process.lines if '"LoggedOnce"' in line]
    assert len(lines) == 1
    assert '"status":200' in lines[0]
    assert '"fetches":1' in lines[0]
