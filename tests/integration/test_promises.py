"""What the README and the architecture promise, and no other test looks at."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx
import pytest
from conftest import RunningGateway, Shop
from graphql import (
    DirectiveLocation,
    GraphQLSchema,
    build_client_schema,
    get_introspection_query,
    print_type,
)
from support.processes import ROOT


def run_cli(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "graphgw.cli.main", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def mint(subject: str, scopes: str = "users:contact") -> str:
    done = run_cli("token", "--scopes", scopes, "--subject", subject)
    return done.stdout.strip()


def told(answer: dict) -> tuple[str, str]:
    (error,) = answer["errors"]
    return error["extensions"]["code"], error["message"]


# Introspection, as IDEs and code generators use it


@pytest.fixture(scope="module")
def schema(gateway: RunningGateway) -> GraphQLSchema:
    """Return the schema that a client builds from the answer to its usual query."""
    query = get_introspection_query(
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        input_value_deprecation=True,
    )
    answer = gateway.ask(query)
    assert "errors" not in answer
    return build_client_schema(answer["data"])


def test_clients_see_types_of_every_service_as_one(schema: GraphQLSchema):
    user = schema.type_map["User"]

    assert {"name", "orders", "notifications"} <= set(user.fields)
    assert {"users", "products", "order", "notification"} <= set(
        schema.query_type.fields
    )
    assert set(schema.subscription_type.fields) == {"notificationAdded"}


def test_clients_see_nothing_of_how_the_graph_is_made(schema: GraphQLSchema):
    names = {*schema.type_map, *(directive.name for directive in schema.directives)}

    assert not [name for name in names if name.startswith(("join__", "link__", "_Any"))]
    assert "_entities" not in schema.query_type.fields
    assert "_service" not in schema.query_type.fields
    assert all(
        DirectiveLocation.FIELD_DEFINITION not in directive.locations
        for directive in schema.directives
        if directive.name != "deprecated"
    )


def test_an_interface_tells_who_implements_it(
    gateway: RunningGateway, schema: GraphQLSchema
):
    answer = gateway.ask('{ __type(name: "Delivery") { kind possibleTypes { name } } }')

    assert answer["data"]["__type"] == {
        "kind": "INTERFACE",
        "possibleTypes": [{"name": "DownloadDelivery"}, {"name": "ParcelDelivery"}],
    }
    text = print_type(schema.type_map["ParcelDelivery"])
    assert text.count("type ParcelDelivery implements Delivery")


# What is wrong with a question is told in words


@pytest.mark.parametrize(
    ("query", "variables", "code", "words"),
    [
        pytest.param(
            "{ users { nodes { nmae } } }",
            {},
            "GRAPHQL_VALIDATION_FAILED",
            "Did you mean 'name'?",
            id="unknown-field",
        ),
        pytest.param(
            "{ user { name } }",
            {},
            "GRAPHQL_VALIDATION_FAILED",
            "required",
            id="argument-missing",
        ),
        pytest.param(
            "query ($n: Int!) { users(first: $n) { totalCount } }",
            {"n": "many"},
            "BAD_USER_INPUT",
            "'many'",
            id="number-as-text",
        ),
        pytest.param(
            "query ($id: ID!) { user(id: $id) { name } }",
            {},
            "BAD_USER_INPUT",
            "$id",
            id="variable-missing",
        ),
        pytest.param(
            'query ($s: OrderStatus) { user(id: "u1") { orders(status: $s)'
            " { totalCount } } }",
            {"s": "LOST"},
            "BAD_USER_INPUT",
            "OrderStatus",
            id="no-such-enum-value",
        ),
        pytest.param(
            "mutation ($o: NewOrderInput!) { createOrder(order: $o) { id } }",
            {"o": {"userId": "u1", "items": [{"productId": "p1", "amount": 2}]}},
            "BAD_USER_INPUT",
            "'amount'",
            id="unknown-input-field",
        ),
        pytest.param(
            "{ users(first: -1) { totalCount } }",
            {},
            "BAD_USER_INPUT",
            "from 0 to 100",
            id="page-of-less-than-nothing",
        ),
        pytest.param(
            '{ products(after: "nowhere") { totalCount } }',
            {},
            "BAD_USER_INPUT",
            "nowhere",
            id="cursor-of-nothing",
        ),
        pytest.param(
            '{ user(id: "u1") { orders(first: 100000) { totalCount } } }',
            {},
            "BAD_USER_INPUT",
            "first has to be 0 to",
            id="page-too-large-over-grpc",
        ),
    ],
)
def test_a_client_s_mistake_is_told(
    gateway: RunningGateway, query: str, variables: dict, code: str, words: str
):
    found, message = told(gateway.ask(query, variables))

    assert found == code
    assert words in message


def test_what_a_service_refuses_is_not_asked_again_for_each_user(
    gateway: RunningGateway, shop: Shop
):
    shop.reset_calls()

    gateway.ask("{ users(first: 20) { nodes { orders(first: -5) { totalCount } } } }")

    assert shop.calls()["order"]["OrderService/ListByUsers"][0] <= 3


# Text of clients does not change where a request goes


@pytest.mark.parametrize(
    "user_id",
    [
        pytest.param("nobody", id="unknown"),
        pytest.param("../users/u903", id="path"),
        pytest.param("u903?x=1", id="query"),
        pytest.param("u903#x", id="fragment"),
        pytest.param("u903/../u903", id="dots"),
    ],
)
def test_an_id_does_not_lead_to_another_resource(gateway: RunningGateway, user_id: str):
    token = mint("u903", "users:write")
    mutation = """
      mutation ($id: ID!) { updateProfile(id: $id, profile: {bio: "mine"}) { id } }
    """

    answer = gateway.ask(mutation, {"id": user_id}, token=token)

    assert answer["data"] == {"updateProfile": None}
    assert told(answer)[0] == "BAD_USER_INPUT"
    bio = gateway.ask('{ user(id: "u903") { bio } }')["data"]["user"]["bio"]
    assert bio != "mine"


def test_an_endpoint_is_counted_under_one_name(gateway: RunningGateway):
    token = mint("u904")
    mutation = 'mutation { updateProfile(id: "u904", profile: {bio: "b"}) { id } }'

    gateway.ask(mutation, token=token)

    metrics = httpx.get(f"{gateway.url}/metrics").text
    assert 'endpoint="PATCH /users/{id}"' in metrics
    assert "u904" not in metrics


# The command line


@pytest.mark.parametrize(
    "stage", ["normalize", "decide", "graph", "paths", "fetches", "plan", "code"]
)
def test_a_stage_prints_the_same_text_in_every_process(stage: str):
    first, second = (
        run_cli(
            "plan", "examples/01_first_look.graphql", "--stage", stage,
            PYTHONHASHSEED=seed,
        )
        for seed in ("1", "2")
    )  # fmt: skip

    assert first.returncode == 0
    assert first.stdout.strip()
    assert first.stdout == second.stdout


def test_the_supergraph_is_printed_the_same_in_every_process():
    first, second = (run_cli("compose", PYTHONHASHSEED=seed) for seed in ("1", "2"))

    assert first.stdout.startswith("schema")
    assert first.stdout == second.stdout


# The wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(  # noqa: S603 - our own command
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"),
            *("--wheel-dir", str(folder), str(ROOT)),
        ],
        check=True,
        capture_output=True,
    )
    (found,) = folder.glob("*.whl")
    return found


def test_the_wheel_holds_the_engine_and_nothing_else(wheel: Path):
    names = zipfile.ZipFile(wheel).namelist()

    kept = [name for name in names if not name.startswith("graphgw-")]
    assert {name.partition("/")[0] for name in kept} == {"graphgw"}
    assert "graphgw/py.typed" in kept
    assert "graphgw/server/ide/index.html" in kept
    assert "graphgw/server/ide/THIRD_PARTY_LICENSES.txt" in kept
    assert any(name.startswith("graphgw/server/ide/assets/") for name in kept)


def test_the_engine_runs_without_the_example(wheel: Path, tmp_path: Path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = (
        "import graphgw, sys\n"
        "assert graphgw.__file__.startswith(sys.argv[1]), graphgw.__file__\n"
        "for name in graphgw.__all__: getattr(graphgw, name)\n"
        "assert not {'schema', 'resolvers', 'backends'} & set(sys.modules)\n"
    )

    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == ""
    assert done.returncode == 0
