"""graphgw.yaml to settings: what may be written, and how what is wrong is told."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent

import pytest

from graphgw.config.load import load_settings, load_settings_text
from graphgw.config.settings import Settings
from graphgw.errors import ConfigurationError

ROOT = Path(__file__).parents[3]


def load(text: str, folder: Path = Path("conf"), **environ: str) -> Settings:
    return load_settings_text(dedent(text), folder / "graphgw.yaml", environ)


def problems_of(text: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(text, **environ)
    return [str(problem).replace("\n    ", " | ") for problem in caught.value.problems]


# What may be written


def test_an_empty_file_gives_the_defaults():
    assert load("") == Settings()
    assert load("limits:\nserver:\nservices:\n") == Settings()


def test_the_example_s_configuration_is_right():
    settings = load_settings(ROOT / "graphgw.yaml", {})

    assert [subgraph.name for subgraph in settings.subgraphs] == [
        "user",
        "product",
        "order",
        "notification",
    ]
    assert [process.port for process in settings.dev] == [
        4101,
        4102,
        4103,
        4104,
        4105,
    ]


def test_short_forms_become_long_ones():
    settings = load(
        """
        subgraphs:
          a: shop.a:subgraph
          b: http://b.internal/graphql
        services:
          rest: https://rest.internal
          rpc: grpcs://10.0.0.1:50051,10.0.0.2:50051
        dev:
          processes:
            one: python -m backend --name "a b"
        """
    )

    assert settings.subgraphs[0].python == "shop.a:subgraph"
    assert settings.subgraphs[1].url == "http://b.internal/graphql"
    assert settings.services[0].kind == "http"
    assert settings.services[1].kind == "grpc"
    assert settings.services[1].addresses == ("10.0.0.1:50051", "10.0.0.2:50051")
    assert settings.services[1].tls is not None
    assert settings.dev[0].command == (
        sys.executable,
        "-m",
        "backend",
        "--name",
        "a b",
    )


def test_durations_and_sizes_may_have_units():
    settings = load(
        """
        deadline: 1500ms
        server: {body_timeout: 1m, keep_alive: 90, max_body_bytes: 2MiB}
        """
    )

    assert settings.deadline == 1.5
    assert settings.server.body_timeout == 60
    assert settings.server.keep_alive == 90
    assert settings.server.max_body_bytes == 2 * 1024 * 1024


def test_paths_are_relative_to_the_file():
    settings = load(
        """
        supergraph: super.graphql
        subgraphs: {a: {url: "http://a", sdl: a.graphql}}
        services: {b: {url: "https://b", tls: {ca_file: ca.pem}}}
        auth:
          issuers: [{issuer: i, key_file: keys/i.pem}]
          api_keys: {file: keys.json}
        """
    )

    assert settings.supergraph is not None
    assert settings.supergraph.location == "conf/super.graphql"
    assert settings.subgraphs[0].sdl == Path("conf/a.graphql")
    assert settings.services[0].tls is not None
    assert settings.services[0].tls.ca_file == Path("conf/ca.pem")
    assert settings.auth.issuers[0].key_file == Path("conf/keys/i.pem")
    assert settings.auth.api_keys.file == Path("conf/keys.json")


def test_a_supergraph_by_url_is_not_a_path():
    settings = load(
        "supergraph: {location: 'https://cdn/s.graphql', headers: {x-key: k}}"
    )

    assert settings.supergraph is not None
    assert settings.supergraph.location == "https://cdn/s.graphql"
    assert settings.supergraph.headers == (("x-key", "k"),)


def test_examples_are_read_from_a_folder_with_titles_and_variables(tmp_path: Path):
    folder = tmp_path / "examples"
    folder.mkdir()
    (folder / "2.graphql").write_text("query B { b }\n")
    (folder / "1.graphql").write_text("# First\nquery A { a }\n")
    (folder / "1.json").write_text('{"x": 1}')

    examples = load("server: {examples: examples}", tmp_path).server.examples

    assert [(e.title, e.query, e.variables) for e in examples] == [
        ("First", "query A { a }\n", '{"x": 1}'),
        ("2", "query B { b }\n", ""),
    ]


# Variables


def test_variables_are_filled_in_and_have_defaults():
    settings = load(
        """
        server:
          host: ${HOST}
          port: ${PORT:-4001}
          path: "/${PREFIX:-api}/graphql"
        exposes_plans: ${PLANS:-true}
        deadline: ${DEADLINE:-5s}
        """,
        HOST="::1",
        PLANS="false",
    )

    assert settings.server.host == "::1"
    assert settings.server.port == 4001
    assert settings.server.path == "/api/graphql"
    assert settings.exposes_plans is False
    assert settings.deadline == 5


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("12345", id="digits"),
        pytest.param("a: b # c", id="yaml-signs"),
        pytest.param("*alias", id="alias"),
        pytest.param("[x", id="bracket"),
        pytest.param("true", id="boolean"),
        pytest.param("${OTHER}", id="another-variable"),
    ],
)
def test_a_variable_s_value_is_text_whatever_it_holds(value: str):
    settings = load(
        """
        auth:
          api_keys: {file: keys.json, secret: "${KEY}"}
        services:
          a: {url: "http://a", headers: {x-key: "${KEY}"}}
        redis_url: ${KEY}
        """,
        KEY=value,
    )

    assert settings.auth.api_keys.secret == value
    assert settings.services[0].headers == (("x-key", value),)
    assert settings.redis_url == value


def test_an_empty_variable_is_nothing_unless_it_is_quoted():
    assert load("redis_url: ${REDIS:-}").redis_url is None
    assert load('redis_url: "${REDIS:-}"').redis_url == ""


def test_every_variable_that_is_not_set_is_told():
    assert problems_of("deadline: ${A}\nredis_url: ${B}-${C}\n") == [
        (
            "conf/graphgw.yaml:1: the environment variable A is not set"
            " | set it, or give a default: ${A:-...}"
        ),
        (
            "conf/graphgw.yaml:2: the environment variable B is not set"
            " | set it, or give a default: ${B:-...}"
        ),
        (
            "conf/graphgw.yaml:2: the environment variable C is not set"
            " | set it, or give a default: ${C:-...}"
        ),
    ]


# What is wrong


def test_all_problems_are_told_at_once_each_with_its_line():
    assert problems_of(
        """\
        server:
          prot: 4000
          workers: 0
        limts: {}
        services:
          user:
            url: http://user
            timeout: soon
        dev:
          processes:
            a:
              port: 1
        """
    ) == [
        (
            'conf/graphgw.yaml:2 server.prot: there is no setting "prot"'
            ' | did you mean "port"?'
        ),
        "conf/graphgw.yaml:3 server.workers: must be at least 1 | it is 0 now",
        (
            'conf/graphgw.yaml:4 limts: there is no setting "limts"'
            ' | did you mean "limits"?'
        ),
        (
            "conf/graphgw.yaml:8 services.user.timeout: must be a duration such as"
            ' 500ms, 10s or 1m | it is "soon" now'
        ),
        'conf/graphgw.yaml:11 dev.processes.a.command: "command" is missing | add it',
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("deadline: 0", "must be above 0", id="no-time"),
        pytest.param("deadline: -1s", "must be above 0", id="negative-time"),
        pytest.param("deadline: .nan", "must be a finite number", id="no-number"),
        pytest.param("deadline: .inf", "must be a finite number", id="endless"),
        pytest.param("deadline: true", "must be a number", id="boolean-time"),
        pytest.param("deadline: 2026-01-01", "must be a duration", id="date"),
        pytest.param("server: {port: -1}", "must be at least 0", id="port-below"),
        pytest.param("server: {port: 65536}", "must be at most 65535", id="port-above"),
        pytest.param("server: {port: 1.5}", "must be a whole number", id="fraction"),
        pytest.param("server: {port: true}", "must be a number", id="boolean-port"),
        pytest.param(
            "server: {max_body_bytes: -1KiB}", "must be at least 1", id="size"
        ),
        pytest.param("server: {max_body_bytes: 1XB}", "must be a size", id="unit"),
        pytest.param(
            "server: {has_graphiql: 5}", "must be true or false", id="no-bool"
        ),
        pytest.param("server: {path: graphql}", 'must start with "/"', id="path"),
        pytest.param("limits: {depth: -3}", "must be at least 1", id="depth"),
        pytest.param("limits: {aliases: -1}", "must be at least 0", id="aliases"),
        pytest.param("planning: {max_evaluations: -1}", "at least 0", id="evaluations"),
        pytest.param(
            "policies: {rate_limit: {limit: 0}}", "must be at least 1", id="optional"
        ),
        pytest.param(
            "policies: {rate_limit: {window: soon}}", "is not a duration", id="window"
        ),
        pytest.param(
            "policies: {cost: {budget: 5, window: soon}}", "not a duration", id="cost"
        ),
        pytest.param("telemetry: {log_level: loud}", "must be 'debug',", id="choice"),
        pytest.param(
            'services: {a: {url: "http://a", breaker: {failure_ratio: 2}}}',
            "must be at most 1",
            id="ratio",
        ),
    ],
)
def test_numbers_and_choices_have_bounds(text: str, told: str):
    [problem] = problems_of(text)

    assert told in problem


@pytest.mark.parametrize(
    ("text", "where", "told"),
    [
        pytest.param("limits: []", "limits", "must hold settings by name", id="list"),
        pytest.param("auth: 3", "auth", "must hold settings by name", id="number"),
        pytest.param("services: [a]", "services", "must hold them by name", id="named"),
        pytest.param("services: {a: 5}", "services.a", "must hold", id="service"),
        pytest.param("subgraphs: 7", "subgraphs", "must hold them by name", id="seven"),
        pytest.param("subgraphs: {a: []}", "subgraphs.a", "must hold", id="subgraph"),
        pytest.param("dev: [1]", "dev", "must hold settings by name", id="dev"),
        pytest.param(
            "dev: {procs: {}}", "dev.procs", 'there is no setting "procs"', id="dev-key"
        ),
        pytest.param(
            "dev: {processes: [a]}", "dev.processes", "must hold them", id="processes"
        ),
        pytest.param(
            "auth: {issuers: {issuer: a}}",
            "auth.issuers",
            "must be a list",
            id="issuers",
        ),
        pytest.param(
            "auth: {issuers: [7]}", "auth.issuers.0", "must hold settings", id="issuer"
        ),
        pytest.param(
            "supergraph: 5", "supergraph", "must hold settings", id="location"
        ),
        pytest.param(
            "auth: {policies: {a: 5}}", "auth.policies.a", "must be a text", id="union"
        ),
        pytest.param(
            'services: {a: {url: "http://a", tls: {ca: x}}}',
            "services.a.tls.ca",
            'there is no setting "ca"',
            id="optional-section",
        ),
        pytest.param(
            'services: {"": "http://a"}', "services.", "this has no name", id="no-name"
        ),
        pytest.param(
            'services: {a: {name: b, url: "http://a"}}',
            "services.a.name",
            "the name is there twice",
            id="two-names",
        ),
        pytest.param(
            "server: {examples: nowhere}",
            "server.examples",
            "there is no folder conf/nowhere",
            id="examples",
        ),
        pytest.param(
            "dev: {processes: {a: ''}}",
            "dev.processes.a.command",
            "is empty",
            id="empty",
        ),
    ],
)
def test_what_has_the_wrong_shape_gives_one_problem_at_its_place(
    text: str, where: str, told: str
):
    [problem] = problems_of(text)

    head, _, message = problem.partition(": ")
    assert head == f"conf/graphgw.yaml:1 {where}"
    assert message.startswith(told)


def test_a_file_of_something_else_is_told():
    assert problems_of("- a") == [
        "conf/graphgw.yaml: the file must hold settings by name"
    ]


def test_settings_that_do_not_go_together_are_told():
    problems = problems_of(
        """\
        subgraphs:
          a: {}
          b: ftp://b
        services:
          c: grpc://c
        auth:
          issuers:
            - {issuer: i, key_file: i.pem, algorithms: [HS256]}
        """
    )

    assert [problem.partition(": ")[0] for problem in problems] == [
        "conf/graphgw.yaml:2 subgraphs.a",
        "conf/graphgw.yaml:3 subgraphs.b.url",
        "conf/graphgw.yaml:5 services.c.addresses",
        "conf/graphgw.yaml:8 auth.issuers.0",
    ]


def test_no_kind_of_problem_hides_another():
    problems = problems_of(
        """\
        deadline: 5s
        deadline: 6s
        subgraphs:
          a: {}
          b: {url: 7}
        services:
          c: ftp://c
          d: ${NOWHERE}
        server:
          port: 99999
          host: ${NOWHERE_EITHER}
        nothing: 1
        """
    )

    assert [problem.partition(" | ")[0] for problem in problems] == [
        'conf/graphgw.yaml:2: "deadline" stands here twice',
        'conf/graphgw.yaml:4 subgraphs.a: subgraph "a" needs either "python" or "url"',
        "conf/graphgw.yaml:5 subgraphs.b.url: must be a text",
        'conf/graphgw.yaml:7 services.c.url: "ftp://c" is no http or https URL',
        "conf/graphgw.yaml:8: the environment variable NOWHERE is not set",
        "conf/graphgw.yaml:10 server.port: must be at most 65535",
        "conf/graphgw.yaml:11: the environment variable NOWHERE_EITHER is not set",
        'conf/graphgw.yaml:12 nothing: there is no setting "nothing"',
    ]


def test_a_supergraph_that_cannot_be_named_does_not_put_subgraphs_in_doubt():
    problems = problems_of(
        "supergraph: {location: '${NOWHERE}'}\nsubgraphs: {a: {remote: {max_batch: 5}}}"
    )

    assert [problem.partition(" | ")[0] for problem in problems] == [
        "conf/graphgw.yaml:1: the environment variable NOWHERE is not set"
    ]


# Secrets


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            'services: {a: {url: "http://a", headers: {x-key: [hunter2]}}}', id="header"
        ),
        pytest.param(
            'services: {a: {url: "http://a", headers: hunter2}}', id="headers-as-text"
        ),
        pytest.param(
            'subgraphs: {a: {url: "http://a", headers: {insert: hunter2}}}', id="insert"
        ),
        pytest.param("auth: {issuers: [{issuer: a, secret: [hunter2]}]}", id="secret"),
        pytest.param("auth: {api_keys: {secret: {a: hunter2}}}", id="api-keys"),
        pytest.param('redis_url: ["redis://:hunter2@r"]', id="redis"),
        pytest.param(
            "supergraph: {location: s, headers: [hunter2]}", id="registry-key"
        ),
        pytest.param(
            "dev: {processes: {a: {command: a, environment: {A: [hunter2]}}}}",
            id="environment",
        ),
        pytest.param('services: {a: "ftp://joe:hunter2@a"}', id="credentials-in-url"),
        pytest.param('services: {a: "http://joe:hunter2@a"}', id="credentials-in-http"),
        pytest.param("subgraphs: {a: 'ftp://joe:hunter2@a'}", id="subgraph"),
        pytest.param('server: {port: "${SECRET}"}', id="variable-in-the-wrong-place"),
        pytest.param("limits: {depth: [hunter2]}", id="list-in-the-wrong-place"),
    ],
)
def test_a_secret_is_in_no_problem(text: str):
    problems = problems_of(text, SECRET="hunter2")  # noqa: S106 - it is not one

    assert problems
    assert "hunter2" not in "\n".join(problems)


def test_a_value_from_a_variable_is_told_by_the_variable_s_name():
    assert problems_of('server: {port: "${PORT}"}', PORT="x") == [
        (
            "conf/graphgw.yaml:1 server.port: must be a whole number"
            " | it comes from the environment variable PORT"
        )
    ]


# Files


def test_a_file_that_is_missing_is_told(tmp_path: Path):
    with pytest.raises(ConfigurationError) as caught:
        load_settings(tmp_path / "graphgw.yaml", {})

    assert "cannot read the configuration: No such file" in str(caught.value)
    assert "name the file with --config" in str(caught.value)


def test_a_file_that_is_no_text_is_told(tmp_path: Path):
    path = tmp_path / "graphgw.yaml"
    path.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(ConfigurationError, match="it is not UTF-8 text"):
        load_settings(path, {})


@pytest.mark.parametrize("switch", ["off", '"off"'])
def test_a_policy_is_switched_off_with_or_without_quotes(switch: str, tmp_path: Path):
    text = f"policies: {{sunset: {{switch: {switch}}}}}\nsharing: off"

    settings = load_settings_text(text, tmp_path / "graphgw.yaml", {})

    assert settings.policies.sunset.switch == "off"
    assert settings.sharing is False
