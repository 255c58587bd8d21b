"""The containers fit the configuration: ports, addresses, files, and nothing secret."""

from __future__ import annotations

import fnmatch
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from graphgw.config.load import load_settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BACKENDS = ("user", "product", "order", "notification")


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} +(.+)$", DOCKERFILE, re.MULTILINE)


def copied() -> list[str]:
    return [
        source
        for line in instructions("COPY")
        if "--from" not in line
        for source in line.split()[:-1]
    ]


def is_sent_to_the_builder(path: str) -> bool:
    """Apply .dockerignore as Docker does: the last line that fits counts."""
    is_ignored = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        keeps, pattern = pattern.startswith("!"), pattern.lstrip("!")
        parts = path.split("/")
        heads = ["/".join(parts[: i + 1]) for i in range(len(parts))]
        names = heads + (parts if pattern.startswith("**/") else [])
        if any(fnmatch.fnmatchcase(n, pattern.removeprefix("**/")) for n in names):
            is_ignored = not keeps
    return not is_ignored


# docker-compose.yml


def test_the_compose_file_fits_the_specification():
    done = subprocess.run(
        (
            sys.executable, "-m", "check_jsonschema",
            "--builtin-schema", "vendor.compose-spec", "docker-compose.yml",
        ),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_gateway_waits_for_everything_and_everything_says_when_it_is_ready():
    others = SERVICES.keys() - {"gateway"}

    waits = SERVICES["gateway"]["depends_on"]

    assert waits.keys() == others
    assert {wait["condition"] for wait in waits.values()} == {"service_healthy"}
    assert all("healthcheck" in SERVICES[name] for name in others)
    assert others == {*BACKENDS, "redis"}


def test_the_configuration_reads_every_variable_that_the_gateway_is_given():
    text = (ROOT / "graphgw.yaml").read_text()
    known = set(re.findall(r"^[^#\n]*\$\{(\w+)", text, re.MULTILINE))

    assert SERVICES["gateway"]["environment"].keys() == known


def test_the_gateway_reaches_each_backend_where_it_listens():
    environment = SERVICES["gateway"]["environment"]

    settings = load_settings(ROOT / "graphgw.yaml", environment)

    reached = {
        service.name: service.url.removeprefix("http://") or service.addresses[0]
        for service in settings.services
    }
    assert reached.keys() == set(BACKENDS)
    for name, address in reached.items():
        host, _, port = address.partition(":")
        command = shlex.split(SERVICES[name]["command"])
        assert host == name
        assert command[:3] == ["python", "-m", f"backends.{name}"]
        assert command[command.index("--port") + 1] == port
        assert command[command.index("--host") + 1] == "0.0.0.0"  # noqa: S104
        assert f", {port})" in SERVICES[name]["healthcheck"]["test"][-1]
    assert settings.server.host == "0.0.0.0"  # noqa: S104
    assert settings.redis_url == "redis://redis:6379/0"


def test_ports_are_those_of_development():
    settings = load_settings(ROOT / "graphgw.yaml", {})

    ports = {process.name: str(process.port) for process in settings.dev}

    for name in BACKENDS:
        assert f"--port {ports[name]}" in SERVICES[name]["command"]
    [published] = SERVICES["gateway"]["ports"]
    assert published.endswith(f":{settings.server.port}")
    assert published.startswith("127.0.0.1:")


def test_the_key_pair_outlives_the_container_and_is_where_it_is_looked_for():
    settings = load_settings(ROOT / "graphgw.yaml", {})
    key_file = settings.auth.issuers[0].key_file

    assert key_file is not None
    assert SERVICES["gateway"]["volumes"] == [f"keys:/app/{key_file.parent.name}"]
    assert "keys" in COMPOSE["volumes"]


@pytest.mark.parametrize("name", ["gateway", *BACKENDS])
def test_containers_may_do_little(name: str):
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["build"]["target"] == "example"


# Dockerfile


@pytest.mark.parametrize("source", copied())
def test_what_is_copied_exists_and_is_sent_to_the_builder(source: str):
    assert (ROOT / source).exists()
    assert is_sent_to_the_builder(source)


@pytest.mark.parametrize(
    "path",
    [
        ".graphgw/dev-private.pem",
        ".git/config",
        ".venv/bin/python",
        "tests/conftest.py",
        "graphgw/__pycache__/types.cpython-311.pyc",
        ".env",
    ],
)
def test_keys_and_caches_are_not_sent_to_the_builder(path: str):
    assert not is_sent_to_the_builder(path)


def test_the_image_holds_all_that_the_example_imports():
    imported = {"schema", "resolvers", "backends", "graphgw"}

    assert imported <= set(copied())
    assert {"graphgw.yaml", "examples"} <= set(copied())


def test_the_image_runs_as_nobody_in_particular_and_tells_its_health():
    user = instructions("USER")[-1]

    assert user.isdecimal()
    assert user != "0"
    assert "/health" in instructions("HEALTHCHECK")[-1]


def test_extras_exist_and_none_is_for_development():
    extras = {
        extra
        for found in re.findall(r"\.\[([\w,]+)\]", DOCKERFILE)
        for extra in found.split(",")
    }

    assert extras == {"encodings", "example"}
    assert extras <= PROJECT["optional-dependencies"].keys()


def test_the_image_s_python_is_one_that_the_project_supports():
    images = {line.split()[0] for line in instructions("FROM")}

    assert {image for image in images if ":" in image} == {"python:3.11-slim"}
    assert PROJECT["requires-python"] == ">=3.11"
