"""The OpenAPI document follows the configuration, also while the gateway runs."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import strawberry

from graphgw import Gateway, Subgraph, create_app
from graphgw.config.settings import ServerSettings, Settings
from graphgw.openapi.settings import OpenAPISettings
from graphgw.routes.settings import RouteSettings
from graphgw.routes.targets import OperationTarget


@strawberry.type
class Query:
    @strawberry.field
    async def name(self) -> str:
        return "gateway"


@pytest.fixture
def route(tmp_path: Path) -> RouteSettings:
    file = tmp_path / "name.graphql"
    file.write_text("# Its name.\n{ name }")
    target = OperationTarget(file=file, select="name")
    return RouteSettings(name="name", path="/name", methods=("GET",), operation=target)


@asynccontextmanager
async def serving(settings: Settings):
    """Yield a gateway and a client of it, without a socket."""
    gateway = Gateway(subgraphs=[Subgraph("a", query=Query)], settings=settings)
    async with gateway:
        transport = httpx.ASGITransport(create_app(gateway))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://gateway"
        ) as client:
            yield gateway, client


async def test_the_document_is_that_of_the_current_configuration(route):
    settings = Settings(routes=(route,))

    async with serving(settings) as (gateway, client):
        before = await client.get("/openapi.json")
        await gateway.reconfigure(
            replace(settings, routes=(), openapi=OpenAPISettings(title="Shop"))
        )
        after = await client.get("/openapi.json")

    assert before.json()["paths"]["/name"]["get"]["summary"] == "Its name."
    assert after.json()["paths"] == {}
    assert after.json()["info"]["title"] == "Shop"
    assert before.headers["etag"] != after.headers["etag"]


async def test_the_head_of_the_document_can_be_asked_for(route):
    async with serving(Settings(routes=(route,))) as (_, client):
        answer = await client.head("/openapi.json")

    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) > 0


async def test_the_page_names_only_files_that_are_there(route):
    async with serving(Settings(routes=(route,))) as (_, client):
        page = await client.get("/docs")
        names = [part.split('"')[0] for part in page.text.split('"/docs/')[1:]]
        answers = [await client.get(f"/docs/{name}") for name in names]

    assert len(names) == 4
    assert [answer.status_code for answer in answers] == [200] * 4
    for answer in (page, *answers):
        assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_nothing_outside_the_pages_folder_is_served(route):
    async with serving(Settings(routes=(route,))) as (_, client):
        answer = await client.get("/docs/..%2findex.html")

    assert answer.status_code == 404


async def test_without_api_docs_their_paths_are_free_for_routes(route):
    server = ServerSettings(has_api_docs=False)
    settings = Settings(routes=(replace(route, path="/docs"),), server=server)

    async with serving(settings) as (_, client):
        document = await client.get("/openapi.json")
        docs = await client.get("/docs")

    assert document.status_code == 404
    assert docs.json() == "gateway"
