"""The OpenAPI document of a running gateway, and whether the gateway keeps to it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from conftest import RunningGateway
from integration.test_shop import mint
from openapi_spec_validator import validate
from support.command import graphgw
from support.integration_gateways import serving
from support.processes import ROOT

OPERATIONS = {
    "things": """
        # All things.
        query Things($size: Size, $short: Boolean! = false) {
          things(size: $size) {
            __typename id size @skip(if: $short)
            ... on Chair { legs made price code } ... on Book { pages }
          }
        }""",
    "thing": """
        query Thing($id: ID!) {
          thing(id: $id) { id ... on Book { pages } ... on Chair { price } }
        }""",
    "echo": """
        query Echo(
          $text: String! = "a", $numbers: [Int], $flag: Boolean, $ratio: Float
          $sizes: [Size!]
        ) {
          echo(
            text: $text, numbers: $numbers, flag: $flag, ratio: $ratio, sizes: $sizes
          ) { text numbers flag ratio sizes missing }
        }""",
    "wish": """
        mutation Wish($wish: Wish!, $copies: Int!) {
          wish(wish: $wish, copies: $copies)
        }""",
}
CONFIGURATION = """
subgraphs: {wide: "support.wide_graph:subgraph"}
openapi: {title: Wide, version: 7.0.0}
routes:
  things:
    path: /things
    methods: [GET]
    operation: {file: things.graphql, select: things}
  thing:
    path: /things/{key}
    methods: [GET, POST]
    operation:
      file: thing.graphql
      select: thing
      partial: allow
      variables: {id: path.key}
  echo:
    path: /echo
    methods: [GET]
    operation: {file: echo.graphql}
  echo_body:
    path: /echo
    methods: [POST, PUT]
    operation: {file: echo.graphql, select: echo}
  echo_parts:
    path: /echo/{text}
    methods: [GET]
    operation:
      file: echo.graphql
      variables: {flag: header.x-flag, ratio: header.x-ratio, numbers: query.n}
  wish:
    path: /wishes
    methods: [POST]
    operation:
      file: wish.graphql
      variables: {copies: query.copies, wish: body}
      status: 201
      select: wish
  wish_part:
    path: /wishes/{copies}
    methods: [PUT]
    operation: {file: wish.graphql, variables: {wish: body.inner.wish}, status: 204}
  locked:
    path: /locked/{id}
    methods: [GET]
    authenticated: true
    operation: {file: thing.graphql}
  hosted:
    path: /hosted
    methods: [GET]
    host: "*.example.com"
    operation: {file: things.graphql}
"""
TAKES_MORE = "negative_data_rejection"
"""GraphQL takes one value for a list, and HTTP headers that nobody asked for."""
HAS_RULES = "positive_data_acceptance"
"""Services refuse what no schema tells, such as what is no e-mail address."""


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """Run a gateway with every kind of type, variable and endpoint."""
    folder = tmp_path_factory.mktemp("wide")
    for name, text in OPERATIONS.items():
        (folder / f"{name}.graphql").write_text(text)
    (folder / "graphgw.yaml").write_text(CONFIGURATION)
    with serving(
        "--config",
        str(folder / "graphgw.yaml"),
        environment={"PYTHONPATH": str(ROOT / "tests")},
    ) as running:
        yield running


def run_schemathesis(
    gateway: RunningGateway, folder: Path, settings: str, *options: str
) -> None:
    """Send what the document allows, and what it forbids; see how that is answered."""
    (folder / "schemathesis.toml").write_text(settings)
    done = subprocess.run(  # noqa: S603 - our own command
        [
            *(sys.executable, "-m", "schemathesis.cli"),
            *("--config-file", "schemathesis.toml"),
            *("run", f"{gateway.url}/openapi.json"),
            *("--phases", "coverage,fuzzing"),
            "--generation-deterministic",
            *options,
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_examples_document_is_valid(gateway: RunningGateway):
    document = httpx.get(f"{gateway.url}/openapi.json").json()

    validate(document)
    names = {
        operation["operationId"]
        for item in document["paths"].values()
        for operation in item.values()
    }
    assert {"user", "dashboard", "profile"} <= names


def test_the_example_keeps_to_its_document(gateway: RunningGateway, tmp_path: Path):
    token = mint("orders:read", "--subject", "u7")
    settings = f"""
[parameters]
"path.id" = "u7"
[auth.openapi.bearer]
bearer = "{token}"
"""

    run_schemathesis(
        gateway,
        tmp_path,
        settings,
        *("--max-examples", "20"),
        *("--exclude-path", "/api/me/news"),  # a stream has no end
        *("--exclude-checks", f"{HAS_RULES},{TAKES_MORE}"),
    )


def test_the_document_of_every_kind_of_endpoint_is_valid(wide: RunningGateway):
    document = httpx.get(f"{wide.url}/openapi.json").json()

    validate(document)
    assert document["info"] == {"title": "Wide", "version": "7.0.0"}


def test_every_kind_of_endpoint_keeps_to_its_document(
    wide: RunningGateway, tmp_path: Path
):
    run_schemathesis(
        wide, tmp_path, "", "--max-examples", "20", "--exclude-checks", TAKES_MORE
    )


def test_a_host_is_told_what_it_has(wide: RunningGateway):
    url = f"{wide.url}/openapi.json"

    plain = httpx.get(url).json()["paths"]
    hosted = httpx.get(url, headers={"host": "a.example.com"}).json()["paths"]

    assert set(hosted) - set(plain) == {"/hosted"}


def test_a_document_that_is_known_is_not_sent_again(wide: RunningGateway):
    url = f"{wide.url}/openapi.json"
    first = httpx.get(url)

    second = httpx.get(url, headers={"if-none-match": first.headers["etag"]})

    assert first.headers["content-type"] == "application/json"
    assert second.status_code == 304
    assert second.content == b""


def test_the_command_prints_what_is_served(gateway: RunningGateway, tmp_path: Path):
    file = tmp_path / "openapi.json"

    printed = graphgw("openapi")
    written = graphgw("openapi", "--output", str(file))

    assert printed.returncode == written.returncode == 0
    assert json.loads(printed.stdout) == json.loads(file.read_text())
    served = httpx.get(f"{gateway.url}/openapi.json").json()
    assert json.loads(printed.stdout) == served


def test_the_document_and_its_page_can_be_switched_off(tmp_path: Path):
    config = tmp_path / "graphgw.yaml"
    config.write_text(
        "subgraphs: {wide: 'support.wide_graph:subgraph'}\n"
        "server: {has_api_docs: false}\n"
    )
    environment = {"PYTHONPATH": str(ROOT / "tests")}

    with serving("--config", str(config), environment=environment) as running:
        answers = [httpx.get(f"{running.url}{p}") for p in ("/openapi.json", "/docs")]

    assert [answer.status_code for answer in answers] == [404, 404]


def test_the_page_may_load_nothing_but_the_gateways_own_files(wide: RunningGateway):
    page = httpx.get(f"{wide.url}/docs")

    policy = page.headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'"} <= set(policy)
    assert page.headers["x-content-type-options"] == "nosniff"
    assert httpx.get(f"{wide.url}/docs/LICENSE").status_code == 200
