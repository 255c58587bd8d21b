"""What graphgw.yaml says of the OpenAPI document."""

from pathlib import Path

import pytest

from graphgw.config.load import load_settings_text
from graphgw.errors import ConfigurationError


def load(text):
    return load_settings_text(text, Path("graphgw.yaml"), {})


def test_a_version_is_text_even_if_it_looks_like_a_number():
    with pytest.raises(ConfigurationError) as caught:
        load("openapi: {version: 2.0}")

    (problem,) = caught.value.problems
    assert problem.where == "graphgw.yaml:1 openapi.version"
    assert load('openapi: {version: "2.0"}').openapi.version == "2.0"


@pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
def test_a_route_has_a_path_of_the_api_docs_only_without_them(path):
    text = f"""
services: {{user: "http://users"}}
routes: {{wrong: {{path: {path}, service: user}}}}
"""

    with pytest.raises(ConfigurationError) as caught:
        load(text)

    (problem,) = caught.value.problems
    assert problem.where == "graphgw.yaml:3 routes.wrong.path"
    assert problem.message == f'"{path}" is a path of the gateway itself'
    assert problem.mend == "take another path, or say server.has_api_docs: false"
    assert load(f"{text}server: {{has_api_docs: false}}\n").routes
