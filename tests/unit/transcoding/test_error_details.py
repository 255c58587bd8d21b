"""What a service tells of a failure in messages is JSON, as far as it may be shown."""

import json
from base64 import b64encode

import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Value
from google.protobuf.wrappers_pb2 import StringValue
from google.rpc import error_details_pb2 as rpc
from google.rpc import status_pb2
from support.annotated import library_files

from graphgw.errors import SourceError
from graphgw.routes.targets import GRPCTarget
from graphgw.transcoding.descriptors import Descriptors
from graphgw.transcoding.error_details import describe_details
from graphgw.transcoding.failures import describe_failure

TYPE = "type.googleapis.com/"
NOT_FOUND = 5


@pytest.fixture(scope="module")
def descriptors():
    return Descriptors(library_files())


@pytest.fixture
def describe(descriptors):
    def describe(*details, code="NOT_FOUND", number=NOT_FOUND, **target):
        status = status_pb2.Status(code=number)
        for detail in details:
            if isinstance(detail, Any):
                status.details.append(detail)
            else:
                status.details.add().Pack(detail)
        raw = status.SerializeToString()
        error = SourceError("failed", status=code, status_details=raw)
        shown = GRPCTarget(service="library", **target)
        return describe_details(error, shown, descriptors.pool)

    return describe


def packed(name, value):
    return Any(type_url=TYPE + name, value=value)


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        pytest.param(
            rpc.ErrorInfo(reason="R", domain="d", metadata={"k": "v"}),
            {"reason": "R", "domain": "d", "metadata": {"k": "v"}},
            id="error-info",
        ),
        pytest.param(
            rpc.BadRequest(field_violations=[{"field": "a.b", "description": "bad"}]),
            {"fieldViolations": [{"field": "a.b", "description": "bad"}]},
            id="bad-request",
        ),
        pytest.param(
            rpc.RetryInfo(retry_delay=Duration(seconds=3)),
            {"retryDelay": "3s"},
            id="retry-info",
        ),
        pytest.param(
            rpc.ResourceInfo(resource_type="book", resource_name="b1"),
            {"resourceType": "book", "resourceName": "b1"},
            id="resource-info",
        ),
        pytest.param(
            rpc.Help(links=[{"description": "how", "url": "https://x"}]),
            {"links": [{"description": "how", "url": "https://x"}]},
            id="help",
        ),
        pytest.param(
            rpc.LocalizedMessage(locale="de", message="Nein"),
            {"locale": "de", "message": "Nein"},
            id="localized-message",
        ),
        pytest.param(
            rpc.QuotaFailure(violations=[{"subject": "p", "description": "used up"}]),
            {"violations": [{"subject": "p", "description": "used up"}]},
            id="quota-failure",
        ),
        pytest.param(
            rpc.PreconditionFailure(violations=[{"type": "TOS", "subject": "s"}]),
            {"violations": [{"type": "TOS", "subject": "s"}]},
            id="precondition-failure",
        ),
        pytest.param(
            rpc.RequestInfo(request_id="r1"), {"requestId": "r1"}, id="request-info"
        ),
    ],
)
def test_details_of_google_rpc_have_their_json(describe, detail, expected):
    name = detail.DESCRIPTOR.full_name

    assert describe(detail) == [{"@type": TYPE + name, **expected}]


def test_names_are_those_of_the_file_where_the_route_says_so(describe):
    detail = rpc.ResourceInfo(resource_type="book")

    (found,) = describe(detail, use_proto_names=True)

    assert found["resource_type"] == "book"


def test_messages_of_the_service_itself_are_known(describe, descriptors):
    kind = descriptors.message_class(
        descriptors.pool.FindMessageTypeByName("library.v1.Book")
    )

    (found,) = describe(packed("library.v1.Book", kind(name="b").SerializeToString()))

    assert found == {"@type": TYPE + "library.v1.Book", "name": "b"}


def test_messages_that_have_a_json_of_their_own_are_a_value(describe):
    (found,) = describe(StringValue(value="x"))

    assert found == {"@type": TYPE + "google.protobuf.StringValue", "value": "x"}


def test_unknown_messages_are_their_bytes(describe):
    raw = b"\x00\xff\x10"

    (found,) = describe(packed("shop.v1.Unknown", raw))

    assert found == {
        "@type": TYPE + "shop.v1.Unknown",
        "value": b64encode(raw).decode(),
    }


def test_what_else_the_gateway_knows_is_unknown(describe):
    (found,) = describe(packed("grpc.reflection.v1alpha.ErrorResponse", b"\x08\x05"))

    assert found["value"] == "CAU="


def test_an_unknown_message_in_a_known_one_makes_it_bytes(describe):
    outer = Any()
    outer.Pack(packed("shop.v1.Unknown", b"\x08\x01"))

    (found,) = describe(outer)

    assert found["@type"] == TYPE + "google.protobuf.Any"
    assert isinstance(found["value"], str)


def nested(depth):
    found = packed("shop.v1.Unknown", b"")
    for _ in range(depth):
        outer = Any()
        outer.Pack(found)
        found = outer
    return found


@pytest.mark.parametrize(
    "detail",
    [
        pytest.param(packed("google.rpc.ErrorInfo", b"\xff\xff"), id="bytes"),
        pytest.param(packed("google.rpc.ErrorInfo", b"\x0a\x01\xff"), id="utf-8"),
        pytest.param(
            packed("google.protobuf.Timestamp", b"\x08" + b"\xff" * 8 + b"\x7f"),
            id="range",
        ),
        pytest.param(Value(number_value=float("nan")), id="nan"),
    ],
)
def test_damaged_details_are_left_out_alone(describe, detail):
    found = describe(detail, rpc.ErrorInfo(reason="R"))

    assert [one.get("reason") for one in found] == ["R"]


def test_details_that_are_nested_without_end_are_no_failure(describe):
    found = describe(nested(2000), Any(), rpc.ErrorInfo(reason="R"))

    assert found[-1]["reason"] == "R"
    json.dumps(found)


@pytest.mark.parametrize("raw", [b"\xff", b"\x08", b"\x1a\x05x", b"grpc"], ids=repr)
def test_a_damaged_status_is_ignored(descriptors, raw):
    error = SourceError("failed", status="NOT_FOUND", status_details=raw)

    problem = describe_failure(
        error, "r", GRPCTarget(service="library"), descriptors.pool
    )

    assert problem.status == 404
    assert "details" not in json.loads(problem.encode())


def test_details_of_another_status_are_ignored(describe):
    assert describe(rpc.ErrorInfo(reason="R"), number=7) == []
    assert describe(rpc.ErrorInfo(reason="R"), number=0) != []


@pytest.mark.parametrize(
    ("mode", "shown"),
    [
        pytest.param("none", [], id="none"),
        pytest.param("public", ["ErrorInfo"], id="public"),
        pytest.param("all", ["ErrorInfo", "DebugInfo"], id="all"),
    ],
)
def test_a_route_says_which_details_are_shown(describe, mode, shown):
    details = (rpc.ErrorInfo(reason="R"), rpc.DebugInfo(detail="a secret"))

    found = describe(*details, error_details=mode)

    assert [one["@type"].rpartition(".")[2] for one in found] == shown


@pytest.mark.parametrize(
    ("code", "number"), [("INTERNAL", 13), ("UNKNOWN", 2), ("DATA_LOSS", 15)]
)
def test_a_service_s_own_faults_are_not_explained(describe, code, number):
    details = (rpc.ErrorInfo(reason="a secret"),)

    assert describe(*details, code=code, number=number) == []
    assert describe(*details, code=code, number=number, error_details="all") != []
