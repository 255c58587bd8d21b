"""What a route changes of headers is what the services of its operation are sent."""

from pathlib import Path

import pytest
from graphql import build_schema

from graphgw.context import RequestContext
from graphgw.endpoints.handler import EndpointHandler
from graphgw.endpoints.read_endpoint import read_endpoint
from graphgw.execution.response import GraphQLResponse
from graphgw.operations.settings import LimitSettings
from graphgw.routes.changes import Changes
from graphgw.routes.exchange import Exchange, RequestHead
from graphgw.routes.headers import read_headers
from graphgw.routes.layers import ChangeLayers
from graphgw.routes.settings import (
    HeaderChanges,
    RequestChanges,
    ResponseChanges,
    RouteSettings,
)
from graphgw.routes.targets import OperationTarget
from graphgw.types import Deadline, Principal

RAW = ((b"x-secret", b"s"), (b"x-from", b"a client"), (b"x-other", b"o"))


class Nobody:
    """Sends no body, and takes an answer."""

    async def read(self):
        return b""

    async def respond(self, status, headers, body):
        self.answered = (status, headers, body)


@pytest.fixture
def ask(tmp_path: Path):
    (tmp_path / "a.graphql").write_text("{ ok }")

    async def ask(**request):
        changes = RequestChanges(**request)
        target = OperationTarget(file=tmp_path / "a.graphql")
        route = RouteSettings(
            name="r", path="/ok", methods=("GET",), operation=target, request=changes
        )
        endpoint = read_endpoint(
            route, build_schema("type Query { ok: Boolean }"), LimitSettings()
        )
        seen = []

        async def answer(_, context):
            seen.append(dict(context.headers))
            return GraphQLResponse(data={"ok": True})

        handler = EndpointHandler(endpoint, answer)
        layer = Changes(changes, ResponseChanges(), 1000)
        context = RequestContext(
            deadline=Deadline.after(5),
            principal=Principal(subject="u1", claims={"sub": "u1"}),
            headers=read_headers(RAW),
        )
        head = RequestHead("GET", "/ok", headers=read_headers(RAW), raw_headers=RAW)
        exchange = Exchange(route, head, context, Nobody(), Nobody())
        await ChangeLayers((layer,), handler).handle(exchange)
        return seen[0]

    return ask


async def test_what_a_route_removes_is_not_there_to_be_sent_on(ask):
    headers = HeaderChanges(remove=("x-secret",), set=(("x-from", "a route"),))

    assert await ask(headers=headers) == {"x-from": "a route", "x-other": "o"}


async def test_a_claim_stands_for_what_the_client_says(ask):
    assert (await ask(claims=(("x-from", "sub"),)))["x-from"] == "u1"


async def test_without_changes_all_is_there_as_it_came(ask):
    assert await ask() == read_headers(RAW)
