"""Fields, arguments and values that go away, with real services behind them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml
from conftest import RunningGateway, Shop
from support.integration_gateways import serving
from support.processes import ROOT

EXTRA = """
import enum
import strawberry
from typing import Annotated
from graphgw import RequestContext, Subgraph, resolved
from graphgw.directives import Sunset
from resolvers import user as resolve


@strawberry.enum
class Kind(enum.Enum):
    NEW = "new"
    OLD = strawberry.enum_value(
        "old", directives=[Sunset(on="2020-01-31", replacement="Kind.NEW")]
    )


async def shown(context: RequestContext, *, kind: Kind = Kind.NEW) -> str:
    return kind.value


@strawberry.federation.type(keys=["id"])
class User:
    id: strawberry.ID


@strawberry.type
class Query:
    old_user: User | None = resolved(
        resolve.user_by_id,
        directives=[Sunset(on="2020-01-31", replacement="Query.user")],
    )
    late_user: User | None = resolved(
        resolve.user_by_id,
        directives=[Sunset(on="2099-01-31", since="2026-01-31")],
    )
    older: str = strawberry.field(
        resolver=lambda: "older", deprecation_reason="Nobody needs it."
    )
    shown: str = resolved(shown)


subgraph = Subgraph("extra", query=Query, types=[User])
"""
LATE = '{ lateUser(id: "u1") { id } }'
Start = Callable[[str], RunningGateway]


@contextmanager
def versions(shop: Shop, folder: Path, switch: str) -> Iterator[RunningGateway]:
    base = yaml.safe_load((ROOT / "graphgw.yaml").read_text())
    (folder / "extra.py").write_text(EXTRA)
    settings = {
        "subgraphs": {**base["subgraphs"], "extra": "extra:subgraph"},
        "services": base["services"],
        "policies": {
            "sunset": {"switch": switch, "link": "https://shop.example/changes"}
        },
    }
    (folder / "graphgw.yaml").write_text(yaml.safe_dump(settings))
    environment = {**shop.environment(), "PYTHONPATH": f"{ROOT}:{folder}"}
    options = ("--config", str(folder / "graphgw.yaml"))
    with serving(*options, environment=environment) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def enforcing(
    shop: Shop, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    with versions(shop, tmp_path_factory.mktemp("enforce"), "enforce") as gateway:
        yield gateway


def user_calls(shop: Shop) -> int:
    return sum(calls for calls, _ in shop.calls()["user"].values())


def test_what_is_over_is_refused_and_no_backend_is_called(
    enforcing: RunningGateway, shop: Shop
):
    shop.reset_calls()

    answer = enforcing.post('{ oldUser(id: "u1") { id name } shown }')

    (error,) = answer.json()["errors"]
    assert answer.status_code == 200
    assert answer.json()["data"] == {"oldUser": None, "shown": "new"}
    assert error["path"] == ["oldUser"]
    assert error["extensions"] == {
        "sunset": "2020-01-31T00:00:00Z",
        "replacement": "Query.user",
        "code": "FIELD_SUNSET",
        "coordinate": "Query.oldUser",
    }
    assert user_calls(shop) == 0


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        pytest.param("{ shown(kind: OLD) }", {}, id="literal"),
        pytest.param("query ($k: Kind!) { shown(kind: $k) }", {"k": "OLD"}, id="value"),
    ],
)
def test_a_value_that_is_over_is_refused_wherever_it_comes_from(
    enforcing: RunningGateway, query: str, variables: dict[str, str]
):
    answer = enforcing.ask(query, variables)
    other = enforcing.ask(query.replace("OLD", "NEW"), dict.fromkeys(variables, "NEW"))

    assert answer["errors"][0]["extensions"]["coordinate"] == "Kind.OLD"
    assert answer["errors"][0]["extensions"]["code"] == "FIELD_SUNSET"
    assert other == {"data": {"shown": "new"}}


def test_what_is_not_over_yet_answers_and_tells_its_end(enforcing: RunningGateway):
    answer = enforcing.post(LATE)

    assert answer.json() == {"data": {"lateUser": {"id": "u1"}}}
    assert answer.headers["deprecation"] == "@1769817600"
    assert answer.headers["sunset"] == "Sat, 31 Jan 2099 00:00:00 GMT"
    assert answer.headers["link"] == (
        '<https://shop.example/changes>; rel="deprecation"; type="text/html",'
        ' <https://shop.example/changes>; rel="sunset"; type="text/html"'
    )


def test_what_is_only_deprecated_has_no_end(enforcing: RunningGateway):
    answer = enforcing.post("{ older }")

    assert answer.json() == {"data": {"older": "older"}}
    assert answer.headers["deprecation"] == "@0"
    assert "sunset" not in answer.headers


def test_other_answers_tell_nothing(enforcing: RunningGateway):
    answer = enforcing.post('{ user(id: "u1") { name createdAt } }')

    assert answer.headers.keys().isdisjoint({"deprecation", "sunset", "link"})


def test_introspection_tells_the_day_and_the_replacement(enforcing: RunningGateway):
    query = (
        '{ __type(name: "Query") { fields(includeDeprecated: true)'
        " { name deprecationReason } } }"
    )

    fields = enforcing.ask(query)["data"]["__type"]["fields"]

    reasons = {field["name"]: field["deprecationReason"] for field in fields}
    assert reasons["oldUser"] == "Use Query.user. Gone from 2020-01-31."
    assert reasons["older"] == "Nobody needs it."
    assert reasons["user"] is None


def test_clients_are_counted_by_what_they_use(enforcing: RunningGateway):
    ios = {"graphql-client-name": "ios", "graphql-client-version": "3.1"}
    for _ in range(2):
        enforcing.post(LATE, headers=ios)
    enforcing.post("{ older }", headers=ios)

    done = subprocess.run(  # noqa: S603 - our own command
        (sys.executable, "-m", "graphgw.cli.main", "usage", f"{enforcing.url}/metrics"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["Query.lateUser", "ios", "3.1", "2"] in rows
    assert ["Query.older", "ios", "3.1", "1"] in rows


def test_shadow_answers_and_reports_what_it_would_have_refused(
    shop: Shop, tmp_path: Path
):
    with versions(shop, tmp_path, "shadow") as gateway:
        answer = gateway.post('{ oldUser(id: "u1") { id } }')
        metrics = httpx.get(f"{gateway.url}/metrics").text

    assert answer.json() == {"data": {"oldUser": {"id": "u1"}}}
    assert answer.headers["sunset"] == "Fri, 31 Jan 2020 00:00:00 GMT"
    refused = next(x for x in metrics.splitlines() if 'code="FIELD_SUNSET"' in x)
    assert 'coordinate="Query.oldUser"' in refused


def test_switched_off_it_says_nothing(shop: Shop, tmp_path: Path):
    with versions(shop, tmp_path, "off") as gateway:
        answer = gateway.post('{ oldUser(id: "u1") { id } }')

    assert answer.json() == {"data": {"oldUser": {"id": "u1"}}}
    assert answer.headers.keys().isdisjoint({"deprecation", "sunset", "link"})
