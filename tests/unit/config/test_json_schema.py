"""The JSON Schema for editors agrees with what the gateway reads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import graphgw

ROOT = Path(__file__).parents[3]
RIGHT = """
deadline: 1s
subgraphs:
  a: shop.a:subgraph
  b: {url: "http://b", headers: {insert: {x-key: k}}}
services:
  c: grpc://127.0.0.1:50051
  d: {url: "http://d", timeout: 500ms, retries: {max_retries: 0}, headers: {x-key: k}}
supergraph: super.graphql
server: {port: "${PORT}", max_body_bytes: 1MiB}
telemetry: {log_format: "${FORMAT:-json}"}
dev: {processes: {e: python -m e, f: {command: [f], port: 1, environment: {A: b}}}}
"""


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the schema that the command prints."""
    path = tmp_path_factory.mktemp("schema") / "graphgw.schema.json"
    path.write_text(graphgw("check", "--schema").stdout)
    return path


def errors_of(schema: Path, instance: Path) -> str:
    command = (
        sys.executable, "-m", "check_jsonschema",
        "--schemafile", str(schema), str(instance),
    )  # fmt: skip
    done = subprocess.run(  # noqa: S603 - our own command
        command, capture_output=True, text=True, timeout=60, check=False
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_the_example_s_configuration_fits(schema: Path):
    assert errors_of(schema, ROOT / "graphgw.yaml") == ""


def test_short_forms_units_and_variables_fit(schema: Path, tmp_path: Path):
    instance = tmp_path / "right.yaml"
    instance.write_text(RIGHT)

    assert errors_of(schema, instance) == ""


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("server: {prot: 1}", id="unknown"),
        pytest.param("subgraphs: [a]", id="list"),
        pytest.param("limits: {depth: []}", id="no-number"),
        pytest.param("telemetry: {log_format: xml}", id="no-choice"),
        pytest.param("dev: {processes: {a: {port: 1}}}", id="missing"),
    ],
)
def test_what_the_gateway_refuses_does_not_fit(schema: Path, tmp_path: Path, text: str):
    instance = tmp_path / "wrong.yaml"
    instance.write_text(text)

    assert errors_of(schema, instance) != ""


def test_it_tells_no_defaults_since_they_have_the_long_form(schema: Path):
    assert '"default"' not in json.dumps(json.loads(schema.read_text()))
