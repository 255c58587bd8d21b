"""Ready supergraphs in front of remote subgraphs, served by ``graphgw serve``."""

from __future__ import annotations

import json
import subprocess
import sys

import httpx
import pytest
from conftest import RunningGateway
from support.integration_gateways import serving, swaps, wait_for
from support.processes import ROOT
from support.registry import Registry
from support.remote_server import RemoteServer

USERS = """
extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])
type Query { me: User team: [User] broken: Int }
type User @key(fields: "id") { id: ID! name: String nick: String }
"""
REVIEWS = """
extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])
type User @key(fields: "id") { id: ID! reviews: [Review] score: Int }
type Review { body: String }
"""
SUPERGRAPH = """
schema
  @link(url: "https://specs.apollo.dev/link/v1.0")
  @link(url: "https://specs.apollo.dev/join/v0.3", for: EXECUTION)
{ query: Query }
enum join__Graph {
  USERS @join__graph(name: "users", url: "%s")
  REVIEWS @join__graph(name: "reviews", url: "%s")
}
type Query @join__type(graph: USERS) @join__type(graph: REVIEWS) {
  me: User @join__field(graph: USERS)
  team: [User] @join__field(graph: USERS)
  broken: Int @join__field(graph: USERS)
}
type User
  @join__type(graph: USERS, key: "id")
  @join__type(graph: REVIEWS, key: "id")
{
  id: ID!
  name: String @join__field(graph: USERS)
  nick: String @join__field(graph: USERS)
  reviews: [Review] @join__field(graph: REVIEWS)
  score: Int @join__field(graph: REVIEWS)
}
type Review @join__type(graph: REVIEWS) { body: String }
"""
ME = {"__typename": "User", "id": "1", "name": "Ada"}
QUERY = "{ me { name reviews { body } } }"
ANSWER = {"data": {"me": {"name": "Ada", "reviews": [{"body": "good 1"}]}}}


def find_user(representation):
    return {"reviews": [{"body": f"good {representation['id']}"}], "score": 1}


@pytest.fixture
def users():
    team = [ME, {"__typename": "User", "id": "2", "name": "Bob"}]
    with RemoteServer(USERS, {"me": ME, "team": team}) as server:
        yield server


@pytest.fixture
def reviews():
    with RemoteServer(REVIEWS, {}, {"User": find_user}) as server:
        yield server


@pytest.fixture
def supergraph(users, reviews, tmp_path):
    path = tmp_path / "supergraph.graphql"
    path.write_text(SUPERGRAPH % (users.url, reviews.url))
    return path


@pytest.fixture
def configured(supergraph, tmp_path):
    """Run a gateway with settings on top of the supergraph."""

    def run(text: str):
        config = tmp_path / "graphgw.yaml"
        config.write_text(f"supergraph: {supergraph.name}\n{text}")
        return serving("--config", str(config))

    return run


# Where the SDL and the subgraphs are


def test_a_supergraph_file_needs_nothing_else(supergraph):
    with serving("--supergraph", str(supergraph)) as gateway:
        assert gateway.ask(QUERY) == ANSWER


def test_urls_are_overridden_on_the_command_line(users, reviews, tmp_path):
    path = tmp_path / "supergraph.graphql"
    path.write_text(SUPERGRAPH % ("", "http://127.0.0.1:1/"))

    with serving(
        "--supergraph", str(path),
        "--subgraph-url", f"users={users.url}",
        "--subgraph-url", f"reviews={reviews.url}",
    ) as gateway:  # fmt: skip
        assert gateway.ask(QUERY) == ANSWER


def test_urls_are_overridden_in_the_configuration(users, reviews, tmp_path):
    (tmp_path / "supergraph.graphql").write_text(SUPERGRAPH % ("", "http://x/"))
    config = tmp_path / "graphgw.yaml"
    config.write_text(
        "supergraph: supergraph.graphql\n"
        f"subgraphs: {{users: {{url: '{users.url}'}}, reviews: '{reviews.url}'}}\n"
    )

    with serving("--config", str(config)) as gateway:
        assert gateway.ask(QUERY) == ANSWER


def test_a_registry_is_asked_with_its_key_and_polled_by_entity_tag(
    users, reviews, tmp_path
):
    sdl = SUPERGRAPH % (users.url, reviews.url)
    config = tmp_path / "graphgw.yaml"
    with Registry(sdl) as registry:
        config.write_text(
            f"supergraph:\n  location: {registry.url}\n  poll_interval: 50ms\n"
            "  headers: {X-Hive-CDN-Key: '${REGISTRY_KEY}'}\n"
        )
        with serving(
            "--config", str(config), environment={"REGISTRY_KEY": "secret"}
        ) as gateway:
            assert gateway.ask(QUERY) == ANSWER
            wait_for(lambda: registry.statuses.count(304) > 3)
            assert registry.statuses.count(200) == 1

            registry.text = sdl.replace("score: Int @", "rating: Int @")
            wait_for(lambda: swaps(gateway, "ok") == 2)
            assert "errors" in gateway.ask("{ me { score } }")
            assert gateway.ask(QUERY) == ANSWER

            registry.fails_with = 500
            wait_for(lambda: registry.statuses.count(500) > 3)
            assert gateway.ask(QUERY) == ANSWER
            assert swaps(gateway, "failed") == 1  # told once, not at each look

            registry.fails_with = None
            registry.text = "type Query { me: Int }"
            wait_for(lambda: swaps(gateway, "failed") == 2)
            assert gateway.ask(QUERY) == ANSWER
        assert not any("secret" in line for line in gateway.process.lines)


def test_a_registry_that_is_down_at_first_is_waited_for(users, reviews, tmp_path):
    sdl = SUPERGRAPH % (users.url, reviews.url)
    with Registry(sdl) as registry:
        pass  # now its port is known and free
    config = tmp_path / "graphgw.yaml"
    config.write_text(
        f"supergraph:\n  location: {registry.url}\n  poll_interval: 100ms\n"
        "  headers: {X-Hive-CDN-Key: secret}\n"
    )

    with serving("--config", str(config), until_ready=False) as gateway:
        wait_for(lambda: health(gateway) is not None)
        assert health(gateway) == (503, {"status": "starting"})
        refused = gateway.post(QUERY)
        assert refused.status_code == 503
        assert "no graph to serve yet" in refused.json()["errors"][0]["message"]
        assert any(
            "cannot read the supergraph" in line for line in gateway.process.lines
        )

        with Registry(sdl, port=registry.port):
            wait_for(lambda: health(gateway) == (200, {"status": "ready"}))
            assert gateway.ask(QUERY) == ANSWER


def health(gateway: RunningGateway):
    try:
        response = httpx.get(f"{gateway.url}/health")
    except httpx.TransportError:
        return None
    return response.status_code, response.json()


# What cannot be served


def refused(*options: str) -> tuple[int, str]:
    """Return exit code and standard error of a gateway that does not start."""
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "graphgw.cli.main", "serve", "--port", "0", *options],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_specifications_that_must_be_known_are_all_named(tmp_path, workers):
    path = tmp_path / "supergraph.graphql"
    unknown = "\n".join(
        f'@link(url: "https://example.com/{name}/v1.0"{purpose})'
        for name, purpose in (
            ("magic", ", for: SECURITY"),
            ("speed", ", for: EXECUTION"),
            ("paint", ""),
        )
    )
    sdl = SUPERGRAPH % ("http://a/", "http://b/")
    path.write_text(sdl.replace("{ query", unknown + "{ query"))

    code, said = refused("--supergraph", str(path), "--workers", workers)

    assert code == 1
    assert '"https://example.com/magic/v1.0" is not known' in said
    assert "for: SECURITY" in said
    assert '"https://example.com/speed/v1.0" is not known' in said
    assert "for: EXECUTION" in said
    assert "paint" not in said


def test_every_missing_url_is_named(tmp_path):
    path = tmp_path / "supergraph.graphql"
    path.write_text(SUPERGRAPH % ("", ""))

    code, said = refused("--supergraph", str(path))

    assert code == 1
    assert "subgraphs.users" in said
    assert "subgraphs.reviews" in said
    assert "subgraphs.NAME.url" in said


def test_a_missing_file_is_named(tmp_path):
    code, said = refused("--supergraph", str(tmp_path / "none.graphql"))

    assert code == 1
    assert "none.graphql: cannot read the supergraph: No such file" in said


def test_a_registry_that_refuses_is_for_the_operator_to_mend():
    with Registry("type Query { a: Int }") as registry:
        code, said = refused("--supergraph", registry.url)

    assert code == 1
    assert "it answered 403" in said


def test_wrong_urls_on_the_command_line_are_all_named(tmp_path):
    path = tmp_path / "supergraph.graphql"
    path.write_text(SUPERGRAPH % ("http://a/", "http://b/"))

    code, said = refused(
        "--supergraph", str(path),
        "--subgraph-url", "users",
        "--subgraph-url", "reviews=ftp://x",
    )  # fmt: skip

    assert code == 1
    assert '"users" is no name and URL' in said
    assert "--subgraph-url reviews" in said


# What subgraphs are sent, and what comes back

HEADERS = """
subgraphs:
  users:
    headers:
      forward: [Authorization, X-Tenant]
      forward_matching: ['x-.*']
      rename: {x-old: X-New}
      insert: {X-Gateway: graphgw, X-Tenant: ours}
      remove: [x-internal]
      answer: [X-Version]
"""


def test_headers_go_to_a_subgraph_as_the_rules_say(configured, users, reviews):
    users.answer_headers = {"x-version": "7", "x-secret": "s", "set-cookie": "c=1"}
    with configured(HEADERS) as gateway:
        response = gateway.post(
            QUERY,
            headers={
                "authorization": "Bearer t",
                "cookie": "c=2",
                "x-tenant": "theirs",
                "x-trace": "1",
                "x-internal": "1",
                "x-old": "2",
                "x-user-id": "admin",
                "x-forwarded-for": "1.2.3.4",
                "x-request-id": "r-1",
            },
        )

    assert response.json() == ANSWER
    sent = users.last.headers
    assert sent["authorization"] == "Bearer t"
    assert sent["x-tenant"] == "ours"
    assert sent["x-trace"] == "1"
    assert sent["x-new"] == "2"
    assert sent["x-gateway"] == "graphgw"
    assert sent["x-request-id"] == "r-1"
    absent = {"cookie", "x-internal", "x-old", "x-user-id", "x-forwarded-for"}
    assert absent.isdisjoint(sent)
    own = {
        "host", "accept", "accept-encoding", "content-type", "content-length",
        "x-request-id", "x-request-timeout-ms",
    }  # fmt: skip
    assert set(reviews.last.headers) == own
    assert response.headers["x-version"] == "7"
    assert "x-secret" not in response.headers
    assert "set-cookie" not in response.headers


def test_the_time_that_is_left_is_told(configured, users, reviews):
    with configured("deadline: 4s\n") as gateway:
        gateway.ask(QUERY)

    first = int(users.last.headers["x-request-timeout-ms"])
    second = int(reviews.last.headers["x-request-timeout-ms"])
    assert 2000 < second <= first <= 4000


def test_a_clients_own_deadline_header_is_not_sent_on(configured, users):
    rules = "subgraphs: {users: {headers: {forward: [x-request-timeout-ms]}}}\n"
    with configured(rules) as gateway:
        gateway.post(QUERY, headers={"x-request-timeout-ms": "99999999"})

    assert int(users.last.headers["x-request-timeout-ms"]) <= 10_000


def test_answers_are_asked_for_compressed_and_inflated(supergraph, users, reviews):
    users.compresses = reviews.compresses = True
    with serving("--supergraph", str(supergraph)) as gateway:
        assert gateway.ask(QUERY) == ANSWER

    assert "gzip" in users.last.headers["accept-encoding"]


def test_connections_are_kept_and_equal_entities_asked_for_once(
    supergraph, users, reviews
):
    users.data["team"] = [ME, ME, {**ME, "id": "2"}, None]
    with serving("--supergraph", str(supergraph)) as gateway:
        answer = gateway.ask("{ team { reviews { body } } }")

    assert answer["data"]["team"] == [
        {"reviews": [{"body": "good 1"}]},
        {"reviews": [{"body": "good 1"}]},
        {"reviews": [{"body": "good 2"}]},
        None,
    ]
    sent = reviews.last.body["variables"]["representations"]
    assert [found["id"] for found in sent] == ["1", "2"]
    assert reviews.last.body["operationName"].startswith("graphgw__reviews__")


def answer_with(*errors, data):
    body = json.dumps({"data": data, "errors": errors}).encode()
    return lambda _: (200, {"content-type": "application/json"}, body)


def test_errors_of_subgraphs_have_the_clients_paths(configured, reviews):
    reviews.respond = answer_with(
        {
            "message": "no reviews",
            "path": ["_entities", 1, "reviews"],
            "extensions": {
                "code": "NOT_FOUND",
                "hint": "look elsewhere",
                "stacktrace": ["secret"],
            },
        },
        data={"_entities": [{"reviews": []}, {"reviews": None}]},
    )
    with configured(
        "includes_subgraph_in_errors: true\n"
        "subgraphs: {reviews: {remote: {error_extensions: [hint]}}}\n"
    ) as gateway:
        answer = gateway.ask("{ crew: team { opinions: reviews { body } } }")

    # The subgraph answers under the alias that it is asked for.
    (error,) = answer["errors"]
    assert error["message"] == "no reviews"
    assert error["path"][:2] == ["crew", 1]
    assert error["extensions"] == {
        "code": "NOT_FOUND",
        "hint": "look elsewhere",
        "subgraph": "reviews",
    }


def test_errors_of_subgraphs_may_be_masked(configured, reviews):
    reviews.respond = answer_with(
        {"message": "secret", "path": ["_entities", 0], "extensions": {"code": "X"}},
        data={"_entities": [None]},
    )
    with configured("subgraphs: {reviews: {remote: {errors: mask}}}\n") as gateway:
        answer = gateway.ask(QUERY)

    assert answer["data"] == {"me": {"name": "Ada", "reviews": None}}
    assert "secret" not in json.dumps(answer)
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "SOURCE_ERROR"


def test_a_subgraph_that_is_down_nulls_its_own_fields_only(supergraph, reviews):
    reviews.respond = lambda _: (503, {"content-type": "text/html"}, b"<html>")
    with serving("--supergraph", str(supergraph)) as gateway:
        answer = gateway.ask(QUERY)

    assert answer["data"] == {"me": {"name": "Ada", "reviews": None}}
    (error,) = answer["errors"]
    assert error["path"] == ["me", "reviews"]
    assert error["extensions"]["code"] == "SOURCE_ERROR"


def test_a_subgraph_that_never_answers_sense_is_left_alone(configured, users):
    users.respond = lambda _: (200, {"content-type": "application/json"}, b"[]")
    with configured(
        "services: {users: {url: 'http://x', breaker: {min_requests: 3}}}\n"
    ) as gateway:
        codes = []
        for number in range(6):
            answer = gateway.ask(f"query Q{number} {{ me {{ name }} }}")
            codes.append(answer["errors"][0]["extensions"]["code"])

    assert codes == ["SOURCE_BAD_ANSWER"] * 3 + ["SOURCE_UNREACHABLE"] * 3
    assert len(users.calls) == 3


# Every version of the join specification

FEDERATION_1 = """
schema
  @core(feature: "https://specs.apollo.dev/core/v0.1")
  @core(feature: "https://specs.apollo.dev/join/v0.1")
{ query: Query }
directive @core(feature: String!) repeatable on SCHEMA
directive @join__graph(name: String!, url: String!) on ENUM_VALUE
directive @join__owner(graph: join__Graph!) on INTERFACE | OBJECT
directive @join__type(graph: join__Graph!, key: join__FieldSet)
  repeatable on INTERFACE | OBJECT
directive @join__field(
  graph: join__Graph, provides: join__FieldSet, requires: join__FieldSet
) on FIELD_DEFINITION
scalar join__FieldSet
enum join__Graph {
  REVIEWS @join__graph(name: "reviews" url: "%(reviews)s")
  USERS @join__graph(name: "users" url: "%(users)s")
}
type Query {
  me: User @join__field(graph: USERS)
  team: [User] @join__field(graph: USERS)
}
type Review { body: String }
type User
  @join__owner(graph: USERS)
  @join__type(graph: USERS, key: "id")
  @join__type(graph: REVIEWS, key: "id")
{
  id: ID! @join__field(graph: USERS)
  name: String @join__field(graph: USERS)
  reviews: [Review] @join__field(graph: REVIEWS)
}
"""
FEDERATION_2 = """
schema
  @link(url: "https://specs.apollo.dev/link/v1.0")
  @link(url: "https://specs.apollo.dev/join/%(version)s", for: EXECUTION)
{ query: Query }
enum join__Graph {
  REVIEWS @join__graph(name: "reviews" url: "%(reviews)s")
  USERS @join__graph(name: "users" url: "%(users)s")
}
type Query @join__type(graph: USERS) @join__type(graph: REVIEWS) {
  me: User @join__field(graph: USERS)
  team: [User] @join__field(graph: USERS)
}
type Review @join__type(graph: REVIEWS) { body: String }
type User
  @join__type(graph: USERS, key: "id")
  @join__type(graph: REVIEWS, key: "id"%(extension)s)
{
  id: ID!
  name: String @join__field(graph: USERS)%(name)s
  reviews: [Review] @join__field(graph: REVIEWS)
}
"""


@pytest.mark.parametrize(
    ("sdl", "version", "extension", "name"),
    [
        pytest.param(FEDERATION_1, "v0.1", "", "", id="v0.1"),
        pytest.param(FEDERATION_2, "v0.2", ", extension: true", "", id="v0.2"),
        pytest.param(
            FEDERATION_2,
            "v0.3",
            ", isInterfaceObject: false",
            ' @join__field(graph: REVIEWS, usedOverridden: true, override: "x")',
            id="v0.3",
        ),
        pytest.param(
            FEDERATION_2,
            "v0.4",
            "",
            ' @join__field(graph: REVIEWS, override: "users", '
            'overrideLabel: "percent(0)")',
            id="v0.4",
        ),
        pytest.param(
            FEDERATION_2,
            "v0.5",
            "",
            " @join__field(graph: REVIEWS, external: true, contextArguments: [])",
            id="v0.5",
        ),
    ],
)
def test_every_version_of_join_is_served(
    users, reviews, tmp_path, sdl, version, extension, name
):
    path = tmp_path / "supergraph.graphql"
    urls = {"users": users.url, "reviews": reviews.url}
    parts = {"version": version, "extension": extension, "name": name}
    path.write_text(sdl % {**urls, **parts})

    with serving("--supergraph", str(path)) as gateway:
        assert gateway.ask(QUERY) == ANSWER
    assert len(users.calls) == len(reviews.calls) == 1


# Composition of remote subgraphs


def test_subgraphs_are_composed_from_urls_and_files_and_served(
    users, reviews, tmp_path
):
    (tmp_path / "reviews.graphql").write_text(REVIEWS)
    config = tmp_path / "graphgw.yaml"
    config.write_text(
        "subgraphs:\n"
        f"  users: {{url: '{users.url}', headers: {{insert: {{X-Key: k}}}}}}\n"
        f"  reviews: {{url: '{reviews.url}', sdl: reviews.graphql}}\n"
    )
    output = tmp_path / "supergraph.graphql"

    subprocess.run(  # noqa: S603 - our own command
        [
            sys.executable, "-m", "graphgw.cli.main", "compose",
            "--config", str(config), "--output", str(output),
        ],
        cwd=ROOT, check=True, timeout=60,
    )  # fmt: skip

    assert users.last.headers["x-key"] == "k"
    assert reviews.calls == []
    with serving("--supergraph", str(output)) as gateway:
        assert gateway.ask(QUERY) == ANSWER
    with serving("--config", str(config)) as gateway:
        assert gateway.ask(QUERY) == ANSWER


def test_subgraphs_that_are_down_do_not_keep_the_gateway_from_starting(tmp_path):
    path = tmp_path / "supergraph.graphql"
    path.write_text(SUPERGRAPH % ("http://127.0.0.1:1/", "http://127.0.0.1:1/"))

    with serving("--supergraph", str(path)) as gateway:
        answer = gateway.ask(QUERY)

    assert answer["errors"][0]["extensions"]["code"] == "SOURCE_UNREACHABLE"
