"""What the document says of an operation is so, whatever the operation."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from graphql import parse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from properties.test_normalize import run
from support.generate_operations import operations
from support.pet_schema import PET_SCHEMA

from graphgw.endpoints.read_endpoint import read_endpoint
from graphgw.openapi.document import describe_routes
from graphgw.openapi.settings import OpenAPISettings
from graphgw.operations.settings import LimitSettings
from graphgw.policies.settings import AuthSettings
from graphgw.routes.settings import RouteSettings
from graphgw.routes.targets import OperationTarget

any_operation = st.sampled_from(["query", "mutation"]).flatmap(
    lambda kind: operations(PET_SCHEMA, kind=kind)
)


def describe(text: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "operation.graphql"
        file.write_text(text)
        route = RouteSettings(
            name="r",
            path="/r",
            methods=("POST",),
            operation=OperationTarget(file=file),
        )
        endpoint = read_endpoint(route, PET_SCHEMA, LimitSettings())
    return describe_routes([(route, endpoint)], OpenAPISettings(), AuthSettings())


def closed(schema: Any) -> Any:
    """Return a schema whose objects have only the members that it tells of."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(value) for key, value in schema.items()}
    return {**found, "additionalProperties": False} if "properties" in found else found


def validator(document: dict[str, Any], schema: Any) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": document["components"]})


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(any_operation)
def test_variables_and_answers_are_as_the_document_says(drawn):
    text, variables = drawn
    answer = run(parse(text), variables)

    document = describe(text)

    validate(document)
    operation = document["paths"]["/r"]["post"]
    if variables:
        body = operation["requestBody"]["content"]["application/json"]["schema"]
        validator(document, body).validate(variables)
    if answer.errors is None:
        found = operation["responses"]["200"]["content"]["application/json"]["schema"]
        validator(document, closed(found)).validate(answer.data)


def test_a_wrong_answer_does_not_fit():
    document = describe("{ user(id: 1) { id pets { __typename } } }")
    operation = document["paths"]["/r"]["post"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    fits = validator(document, closed(schema)).is_valid

    pets = [{"__typename": "Cat"}]
    assert fits({"user": {"id": "1", "pets": pets}})
    assert fits({"user": None})
    assert not fits({"user": {"id": None, "pets": pets}})
    assert not fits({"user": {"id": "1", "pets": None}})
    assert not fits({"user": {"id": "1", "pets": [{"__typename": "User"}]}})
    assert not fits({"user": {"id": "1", "pets": pets, "more": 1}})
    assert not fits({})
