"""Variants over HTTP: by path, header and API key, with or without ASGI."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

import httpx
import pytest
import strawberry
import uvicorn
from uvicorn.server import ServerState

from graphgw import Gateway, Subgraph, create_app
from graphgw.config.settings import ExampleOperation, ServerSettings, Settings
from graphgw.directives import CacheControl, Tag
from graphgw.operations.settings import LimitSettings
from graphgw.policies.authenticate.api_keys import ApiKey, hash_api_key, write_api_keys
from graphgw.policies.settings import (
    ApiKeySettings,
    AuthSettings,
    PolicySettings,
    SunsetSettings,
)
from graphgw.policies.variant_settings import VariantLimits, VariantSettings
from graphgw.server.direct import direct_protocol
from graphgw.telemetry.logs import LogObserver
from graphgw.telemetry.metrics import MetricsObserver

SMALL = Tag(name="small")


@strawberry.type
class Query:
    @strawberry.field(directives=[SMALL, CacheControl(max_age=300)])
    async def name(self) -> str:
        return "gateway"

    @strawberry.field(directives=[CacheControl(max_age=300)])
    async def secret(self) -> str:
        return "hidden"


VARIANTS = (
    VariantSettings(
        name="small",
        include=("small",),
        limits=VariantLimits(aliases=1),
        max_age=20,
        has_introspection=False,
    ),
    VariantSettings(name="plain", path="/plain", has_graphiql=False),
    VariantSettings(name="old", path="/v1/graphql", sunset="2020-01-31"),
)
EXAMPLES = (
    ExampleOperation(title="Name", query="{ name }"),
    ExampleOperation(title="Secret", query="{ secret }"),
)


def settings_of(**changes) -> Settings:
    return replace(
        Settings(
            variants=VARIANTS,
            server=ServerSettings(examples=EXAMPLES),
            limits=LimitSettings(aliases=5),
            policies=PolicySettings(sunset=SunsetSettings(switch="enforce")),
        ),
        **changes,
    )


def gateway_of(observers=(), **changes) -> Gateway:
    return Gateway(
        subgraphs=[Subgraph("all", query=Query)],
        settings=settings_of(**changes),
        observers=observers,
    )


@pytest.fixture(params=["asgi", "direct"])
async def connect(request):
    """Return a client for a gateway: through ASGI, or through our own server."""
    stack = []

    async def connect(**changes):
        gateway = gateway_of(**changes)
        await gateway.start()
        front = create_app(gateway)
        stack.append(gateway.aclose)
        if request.param == "asgi":
            transport = httpx.ASGITransport(front)
            client = httpx.AsyncClient(transport=transport, base_url="http://x")
        else:
            protocol = direct_protocol(gateway.settings.server, front)
            config = uvicorn.Config(front, lifespan="off", log_level="error")
            server = await asyncio.get_running_loop().create_server(
                lambda: protocol(config, ServerState(), {}), "127.0.0.1", 0
            )
            port = server.sockets[0].getsockname()[1]
            client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}")

            async def close():
                server.close()

            stack.append(close)
        stack.append(client.aclose)
        client.gateway = gateway
        return client

    yield connect
    for close in reversed(stack):
        await close()


async def ask(client, query, path="/graphql", **headers):
    return await client.post(path, json={"query": query}, headers=headers)


def message(answer):
    return answer.json()["errors"][0]["message"]


def code(answer):
    return answer.json()["errors"][0]["extensions"]["code"]


async def test_each_path_has_its_own_graph(connect):
    client = await connect()

    for _ in range(2):  # the second time from what is remembered of the head
        whole = await ask(client, "{ name secret }")
        small = await ask(client, "{ name }", "/small/graphql")
        lacks = await ask(client, "{ secret }", "/small/graphql")
        plain = await ask(client, "{ secret }", "/plain")

        assert whole.json() == {"data": {"name": "gateway", "secret": "hidden"}}
        assert small.json() == {"data": {"name": "gateway"}}
        assert message(lacks) == "Cannot query field 'secret' on type 'Query'."
        assert plain.json() == {"data": {"secret": "hidden"}}
    assert (await ask(client, "{ name }", "/other/graphql")).status_code == 404


async def test_a_variant_has_limits_of_its_own(connect):
    client = await connect()
    query = "{ a: name b: name }"

    assert (await ask(client, query)).json()["data"] == {"a": "gateway", "b": "gateway"}
    assert code(await ask(client, query, "/small/graphql")) == "LIMIT_EXCEEDED"


async def test_a_variant_may_keep_its_schema_to_itself(connect):
    client = await connect()
    query = "{ __schema { queryType { name } } }"

    assert "data" in (await ask(client, query)).json()
    refused = await ask(client, query, "/small/graphql")
    typo = await ask(client, "{ nam }", "/small/graphql")

    assert "introspection has been disabled" in message(refused)
    assert message(typo) == "Cannot query field 'nam' on type 'Query'."


async def test_introspection_shows_only_what_a_variant_has(connect):
    shown = replace(VARIANTS[0], has_introspection=True)
    client = await connect(variants=(shown,))
    query = '{ __type(name: "Query") { fields { name } } }'

    whole = await ask(client, query)
    small = await ask(client, query, "/small/graphql")

    assert whole.json()["data"]["__type"]["fields"] == [
        {"name": "name"},
        {"name": "secret"},
    ]
    assert small.json()["data"]["__type"]["fields"] == [{"name": "name"}]


async def test_a_variant_may_let_its_answers_be_kept_for_less(connect):
    client = await connect()

    whole = await ask(client, "{ name }")
    small = await ask(client, "{ name }", "/small/graphql")

    assert whole.headers["cache-control"] == "max-age=300, public"
    assert small.headers["cache-control"] == "max-age=20, public"


async def test_a_header_chooses_where_it_is_configured(connect):
    client = await connect(variant_header="X-Variant")

    small = await ask(client, "{ secret }", **{"x-variant": "small"})
    whole = await ask(client, "{ secret }")
    unknown = await ask(client, "{ secret }", **{"x-variant": "other"})
    both = await ask(client, "{ name }", "/plain", **{"x-variant": "small"})

    assert code(small) == "GRAPHQL_VALIDATION_FAILED"
    assert whole.json()["data"] == {"secret": "hidden"}
    assert whole.headers["vary"] == small.headers["vary"] == "x-variant"
    assert (unknown.status_code, code(unknown)) == (400, "BAD_REQUEST")
    assert (both.status_code, code(both)) == (400, "BAD_REQUEST")


async def test_without_the_setting_a_header_chooses_nothing(connect):
    client = await connect()

    answer = await ask(client, "{ secret }", **{"x-variant": "small"})

    assert answer.json()["data"] == {"secret": "hidden"}
    assert "vary" not in answer.headers


@pytest.fixture
def keys(tmp_path):
    """Return API keys by the variant that they are for."""
    file = tmp_path / "keys.json"
    found = {"small": "key-small", "gone": "key-gone", None: "key-all"}
    write_api_keys(
        file,
        [
            ApiKey(key, hash_api_key(key, "s"), variant=variant)
            for variant, key in found.items()
        ],
    )
    return AuthSettings(api_keys=ApiKeySettings(file=file, secret="s"))  # noqa: S106


async def test_an_api_key_is_for_its_variant_alone(connect, keys):
    client = await connect(auth=keys)
    small = {"x-api-key": "key-small"}

    main = await ask(client, "{ name }", **small)
    hidden = await ask(client, "{ secret }", **small)
    own = await ask(client, "{ name }", "/small/graphql", **small)
    other = await ask(client, "{ name }", "/plain", **small)
    free = await ask(client, "{ secret }", "/plain", **{"x-api-key": "key-all"})
    gone = await ask(client, "{ name }", **{"x-api-key": "key-gone"})

    assert main.json() == own.json() == {"data": {"name": "gateway"}}
    assert message(hidden) == "Cannot query field 'secret' on type 'Query'."
    assert (other.status_code, code(other)) == (403, "VARIANT_FORBIDDEN")
    assert free.json()["data"] == {"secret": "hidden"}
    assert (gone.status_code, code(gone)) == (403, "VARIANT_FORBIDDEN")


async def test_an_api_key_for_a_variant_opens_nothing_where_there_is_none(
    connect, keys
):
    client = await connect(auth=keys, variants=())

    answer = await ask(client, "{ name }", **{"x-api-key": "key-small"})

    assert (answer.status_code, code(answer)) == (403, "VARIANT_FORBIDDEN")


async def test_a_variant_at_the_main_path_stands_for_the_whole_graph(connect):
    main = replace(VARIANTS[0], path="/graphql")
    client = await connect(variants=(main, VARIANTS[1]), variant_header="x-variant")

    hidden = await ask(client, "{ secret }")
    chosen = await ask(client, "{ secret }", **{"x-variant": "plain"})

    assert code(hidden) == "GRAPHQL_VALIDATION_FAILED"
    assert chosen.json()["data"] == {"secret": "hidden"}


async def test_a_variant_that_is_over_is_gone(connect):
    client = await connect()

    answer = await ask(client, "{ name }", "/v1/graphql")

    assert (answer.status_code, code(answer)) == (410, "VARIANT_SUNSET")
    assert answer.headers["sunset"] == "Fri, 31 Jan 2020 00:00:00 GMT"


async def test_before_that_every_answer_tells_its_end(connect):
    ending = replace(VARIANTS[2], sunset="2999-01-31", deprecated="2026-01-31")
    client = await connect(variants=(ending,))

    answer = await ask(client, "{ name }", "/v1/graphql")
    wrong = await ask(client, "{ nothing }", "/v1/graphql")

    for found in (answer, wrong):
        assert found.headers["deprecation"] == "@1769817600"
        assert found.headers["sunset"] == "Thu, 31 Jan 2999 00:00:00 GMT"


async def test_graphiql_is_at_the_path_of_each_variant_that_has_it(connect):
    client = await connect()
    browser = {"accept": "text/html"}

    main = await client.get("/graphql", headers=browser)
    small = await client.get("/small/graphql", headers=browser)
    plain = await client.get("/plain", headers=browser)

    found = re.search(r'data-config="([^"]+)"', small.text)
    assert 'data-config="/graphiql/config.json"' in main.text
    assert found is not None
    assert "content-security-policy" in small.headers
    assert plain.status_code == 406
    config = (await client.get(found[1])).json()
    assert config["endpoint"] == "/small/graphql"
    assert [tab["title"] for tab in config["tabs"]] == ["Name"]
    whole = (await client.get("/graphiql/config.json")).json()
    assert whole["endpoint"] == "/graphql"
    assert [tab["title"] for tab in whole["tabs"]] == ["Name", "Secret"]


async def test_the_main_page_may_be_closed_too(connect):
    main = VariantSettings(name="main", path="/graphql", has_graphiql=False)
    client = await connect(variants=(main,))

    assert (await client.get("/")).status_code == 404
    assert (await client.get("/graphql", headers={"accept": "text/html"})).is_error


async def test_paths_follow_a_reload(connect):
    client = await connect()
    moved = replace(VARIANTS[1], path="/moved")
    assert (await ask(client, "{ name }", "/plain")).status_code == 200

    await client.gateway.reconfigure(
        replace(client.gateway.settings, variants=(moved,))
    )

    assert (await ask(client, "{ secret }", "/moved")).json()["data"]
    for path in ("/plain", "/small/graphql"):
        assert (await ask(client, "{ name }", path)).status_code == 404


async def test_cors_preflights_are_answered_at_every_path(connect):
    client = await connect(
        server=ServerSettings(allowed_origins=("https://shop.example",))
    )

    answer = await client.options(
        "/small/graphql", headers={"origin": "https://shop.example"}
    )

    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"


async def test_the_log_and_the_metrics_name_the_variant(tmp_path):
    metrics = MetricsObserver()
    log = tmp_path / "log"
    with log.open("w") as file:
        logs = LogObserver(file=file)
        async with gateway_of([metrics, logs]) as gateway:
            await gateway.execute("{ name }", variant="small")
            await gateway.execute("{ name }")
            await gateway.execute("{ name }", variant="old")
        logs.flush()

    lines = [line for line in log.read_text().splitlines() if '"operation"' in line]
    assert ['"variant":"small"' in line for line in lines] == [True, False, False]
    assert '"variant":"old"' in lines[2]
    assert (
        "graphgw_variant_operations_total"
        '{kind="query",status="200",variant="small"} 1.0'
    ) in metrics.render().decode()
