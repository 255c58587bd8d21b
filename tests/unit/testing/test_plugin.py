"""The pytest plugin, as a project that installs graphgw meets it."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SUBGRAPH = """
import strawberry
from graphgw import RequestContext, Subgraph, by, loader, resolved, rest_source

service = rest_source("user")

@loader(max_batch=100)
async def users_by_id(ids: list[str], context: RequestContext) -> list[dict | None]:
    reply = await service.get("/users", context, params={"ids": ",".join(ids)})
    found = {row["id"]: row for row in reply}
    return [found.get(id) for id in ids]

async def user(context: RequestContext, *, id: strawberry.ID) -> dict | None:
    return await context.load(users_by_id, id)

@strawberry.federation.type(keys=["id"])
class User:
    id: strawberry.ID
    name: str

@strawberry.type
class Query:
    user: User | None = resolved(user)

subgraph = Subgraph("user", query=Query, entities={User: by("id", users_by_id)})
"""
TESTS = """
import pytest
from graphgw.testing.fake_service import Answer
from users import subgraph

def answer_users(call):
    ids = call.query["ids"].split(",")
    return [{"id": id, "name": f"User {id}"} for id in ids]

async def test_users_are_loaded_in_one_call(graph, fake_service):
    users = fake_service("user").on("GET", "/users", answer_users)

    async with graph(subgraph, services=[users]) as gateway:
        query = '{ a: user(id: "1") { name } b: user(id: "2") { name } }'
        answer = await gateway.execute(query)

    assert answer.data == {"a": {"name": "User 1"}, "b": {"name": "User 2"}}
    assert [call.query for call in users.calls] == [{"ids": "1,2"}]

async def test_a_failing_service_gives_a_partial_answer(graph, fake_service):
    users = fake_service("user").on("GET", "/users", Answer(status=500))

    async with graph(subgraph, services={"user": users.url}) as gateway:
        answer = await gateway.execute('{ __typename user(id: "1") { name } }')

    assert answer.data == {"__typename": "Query", "user": None}
    assert answer.error_codes == ("SOURCE_ERROR",)

def test_nothing_is_left_behind(fake_service):
    fake_service("a")
    fake_service("b")
"""


def test_a_project_tests_its_subgraph_without_a_warning(tmp_path: Path):
    (tmp_path / "users.py").write_text(SUBGRAPH)
    (tmp_path / "test_users.py").write_text(TESTS)

    done = subprocess.run(  # noqa: S603 - our own command
        (
            sys.executable, "-m", "pytest", "-q", "-W", "error",
            "-p", "graphgw.testing.plugin", "-p", "pytest_asyncio.plugin",
            "-p", "no:cacheprovider", "-o", "asyncio_mode=auto",
            "-o", "asyncio_default_fixture_loop_scope=function",
            "--rootdir", str(tmp_path), str(tmp_path),
        ),
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONPATH": str(tmp_path),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )  # fmt: skip

    assert "3 passed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


def test_pytest_starts_no_slower_for_it():
    heavy = ("strawberry", "graphql", "grpc", "httpx", "starlette", "http.server")
    script = (
        "import sys, graphgw.testing.plugin;"
        f"print(*(name for name in {heavy} if name in sys.modules))"
    )

    done = subprocess.run(  # noqa: S603 - our own command
        (sys.executable, "-c", script),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert done.stdout.strip() == ""


def test_an_installed_graphgw_is_found_by_pytest():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert project["entry-points"]["pytest11"] == {"graphgw": "graphgw.testing.plugin"}


@pytest.mark.parametrize("name", ["graph", "fake_service"])
def test_the_fixtures_are_documented(name: str):
    from graphgw.testing import plugin  # noqa: PLC0415 - by name

    assert getattr(plugin, name).__doc__
