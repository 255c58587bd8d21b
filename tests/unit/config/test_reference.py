"""docs/configuration.md names every setting with its default; its YAML is right."""

from __future__ import annotations

import re
import typing
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from graphgw.config import settings as config
from graphgw.config.json_schema import json_schema
from graphgw.config.load import load_settings_text
from graphgw.config.models import build_model
from graphgw.openapi.settings import OpenAPISettings
from graphgw.operations.settings import LimitSettings, WarmUpSettings
from graphgw.planning.settings import PlanningSettings
from graphgw.policies import settings as policies
from graphgw.policies import variant_settings as variants
from graphgw.policies.route_policy import RouteRateLimit
from graphgw.routes import settings as routes
from graphgw.routes import targets
from graphgw.sources import settings as sources
from graphgw.sources.balancing import settings as balancing
from graphgw.sources.sdl_source import SupergraphSettings
from graphgw.subgraphs.remote.headers import HeaderRules
from graphgw.subgraphs.remote.subgraph import RemoteSettings

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "configuration.md").read_text("utf-8")
ENVIRON = {"API_KEY_SECRET": "a secret", "REGISTRY_TOKEN": "a token"}
BLOCKS = re.findall(r"```yaml\n(.+?)```", PAGE, re.DOTALL)

CLASSES: dict[str, type[Any]] = {
    "The top of the file": config.Settings,
    "subgraphs.NAME": config.SubgraphReference,
    "subgraphs.NAME.headers": HeaderRules,
    "subgraphs.NAME.remote": RemoteSettings,
    "supergraph": SupergraphSettings,
    "services.NAME": sources.ServiceSettings,
    "services.NAME.urls": balancing.AddressSettings,
    "services.NAME.balance": balancing.BalanceSettings,
    "services.NAME.ejection": balancing.EjectionSettings,
    "services.NAME.health_check": balancing.HealthCheckSettings,
    "services.NAME.split": balancing.SplitSettings,
    "services.NAME.tls": sources.TLSSettings,
    "services.NAME.retries": sources.RetrySettings,
    "services.NAME.breaker": sources.BreakerSettings,
    "routes.NAME": routes.RouteSettings,
    "routes.NAME.grpc": targets.GRPCTarget,
    "routes.NAME.operation": targets.OperationTarget,
    "routes.NAME.timeouts": routes.RouteTimeouts,
    "routes.NAME.websocket": routes.WebSocketSettings,
    "routes.NAME.rate_limit": RouteRateLimit,
    "routes.NAME.cache": routes.RouteCache,
    "routes.NAME.request": routes.RequestChanges,
    "routes.NAME.request.headers": routes.HeaderChanges,
    "routes.NAME.request.body": routes.BodyChanges,
    "routes.NAME.response": routes.ResponseChanges,
    "openapi": OpenAPISettings,
    "variants.NAME": variants.VariantSettings,
    "variants.NAME.limits": variants.VariantLimits,
    "variants.NAME.addresses": variants.VariantAddresses,
    "auth": policies.AuthSettings,
    "auth.issuers": policies.IssuerSettings,
    "auth.api_keys": policies.ApiKeySettings,
    "auth.addresses": policies.AddressSettings,
    "policies": policies.PolicySettings,
    "policies.rate_limit": policies.RateLimitSettings,
    "policies.cost": policies.CostSettings,
    "policies.cache": policies.CacheSettings,
    "policies.sunset": policies.SunsetSettings,
    "limits": LimitSettings,
    "warm_up": WarmUpSettings,
    "planning": PlanningSettings,
    "server": config.ServerSettings,
    "server.examples": config.ExampleOperation,
    "telemetry": config.TelemetrySettings,
    "dev.processes.NAME": config.DevProcess,
}


def read_tables() -> dict[str, dict[str, tuple[str, str]]]:
    """Return type and default of each setting, by heading and name."""
    tables: dict[str, dict[str, tuple[str, str]]] = {}
    for part in re.split(r"^##+ ", PAGE, flags=re.MULTILINE)[1:]:
        heading = part.partition("\n")[0].strip("`")
        rows = re.findall(
            r"^\| `(\w+)` \| (.+?) \| (.+?) \| .+ \|$", part, re.MULTILINE
        )
        if rows:
            names = [name for name, _, _ in rows]
            assert len(set(names)) == len(names), heading
            tables[heading] = {name: (kind, default) for name, kind, default in rows}
    return tables


TABLES = read_tables()
SETTINGS = [
    pytest.param(heading, item, id=f"{heading}.{item.name}")
    for heading, settings in CLASSES.items()
    for item in fields(settings)
    if not (heading.endswith("NAME") and item.name == "name")
]


def classes_within(hint: Any) -> set[type[Any]]:
    """Return the settings classes that a type holds, at any depth."""
    if not (isinstance(hint, type) and is_dataclass(hint)):
        return {c for inner in typing.get_args(hint) for c in classes_within(inner)}
    names = {"Path": Path, "RequestContext": Any, "Mapping": typing.Mapping}
    hints = typing.get_type_hints(hint, localns=names).values()
    return {hint, *(c for inner in hints for c in classes_within(inner))}


def hint_of(heading: str, name: str) -> Any:
    return next(f.type for f in fields(CLASSES[heading]) if f.name == name)


def read_default(heading: str, name: str, text: str) -> Any:
    """Return what the settings would hold if the file said this text."""
    model = build_model(CLASSES[heading])
    required = {
        key: {"command": [], "limit": 1}.get(key, "x")
        for key, item in model.model_fields.items()
        if item.is_required()
    }
    value = yaml.safe_load(text)
    return getattr(model.model_validate({**required, name: value}), name)


def test_every_class_of_settings_has_a_table():
    assert set(CLASSES.values()) == classes_within(config.Settings)


def test_there_is_no_table_of_anything_else():
    assert TABLES.keys() == CLASSES.keys()


@pytest.mark.parametrize("heading", CLASSES)
def test_a_table_has_exactly_the_settings_there_are(heading: str):
    known = {item.name for item in fields(CLASSES[heading])}
    if heading.endswith("NAME"):
        known.discard("name")

    assert TABLES[heading].keys() == known


@pytest.mark.parametrize(("heading", "item"), SETTINGS)
def test_a_default_is_the_real_one(heading: str, item: Any):
    kind, default = TABLES[heading][item.name]

    if default == "required":
        assert item.default is MISSING
        assert item.default_factory is MISSING
    elif default == "see below":
        assert is_dataclass(item.default_factory)
    elif default == "none":
        assert item.default == ()
    elif default == "`{}`" and kind.startswith("names to "):
        factory = item.default_factory
        assert not (item.default if factory is MISSING else factory())
    else:
        text = default.removeprefix("`").removesuffix("`")
        assert read_default(heading, item.name, text) == item.default


@pytest.mark.parametrize(("heading", "item"), SETTINGS)
def test_a_type_has_the_unit_that_the_setting_is_read_with(heading: str, item: Any):
    kind, _ = TABLES[heading][item.name]

    if item.type == "bool":
        assert kind == "switch"
    elif item.type in {"float", "float | None"}:
        assert kind in {"duration", "ratio"}
    elif item.type in {"int", "int | None"}:
        assert kind == ("size" if item.name.endswith("_bytes") else "number")
    else:
        assert kind not in {"switch", "duration", "ratio", "size", "number"} or (
            "int" in item.type
        )


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("\n")[0])
def test_an_example_is_a_right_file(block: str):
    load_settings_text(block, ROOT / "graphgw.yaml", ENVIRON)

    Draft202012Validator(json_schema()).validate(yaml.safe_load(block))


def test_every_section_has_an_example():
    used = {name for block in BLOCKS for name in yaml.safe_load(block)}

    sections = {i.name for i in fields(config.Settings) if f"\n## {i.name}\n" in PAGE}

    assert len(sections) == 14
    assert sections <= used


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md"])
def test_the_reference_is_found_from_the_other_pages(page: str):
    assert "configuration.md)" in (ROOT / page).read_text("utf-8")
