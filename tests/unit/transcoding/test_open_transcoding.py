"""A route and what a gRPC service declares are checked against each other."""

from pathlib import Path

import pytest
from support.annotated import SERVICE, library_files

from graphgw.errors import ConfigurationError
from graphgw.routes.settings import RouteSettings
from graphgw.routes.targets import GRPCTarget
from graphgw.transcoding.descriptors import Descriptors, read_descriptor_file
from graphgw.transcoding.open_transcoding import open_transcoding


def opened(path="/api/*", methods=(), **target):
    grpc = GRPCTarget(service="library", **target)
    route = RouteSettings(name="r", path=path, methods=methods, grpc=grpc)
    return open_transcoding(route, grpc, library_files())


def problems(*arguments, **options):
    with pytest.raises(ConfigurationError) as caught:
        opened(*arguments, **options)
    return [(problem.where, problem.message) for problem in caught.value.problems]


def found(transcoding, method, path):
    match = transcoding.table.find("", path, method)
    return match.route.method.name, match.parameters


def test_annotations_are_mounted_below_the_routes_path():
    library = opened(interface=(SERVICE,))

    assert found(library, "GET", "/api/v1/shelves/a/books/b") == (
        "GetBook",
        {"name": "shelves/a/books/b"},
    )
    assert found(library, "GET", "/api/v1/books/b") == ("GetBook", {"name": "b"})
    assert found(library, "GET", "/api/v1/books") == ("ListBooks", {})
    assert found(library, "POST", "/api/v1/shelves/s/books") == (
        "CreateBook",
        {"shelf": "s"},
    )
    assert found(library, "POST", "/api/v1/books/b:move") == (
        "MoveBook",
        {"name": "b"},
    )
    assert library.table.find("", "/api/v1/hidden", "GET") is None


def test_a_binding_has_its_body_and_its_answer():
    bindings = {b.method.name: b for b in opened(interface=(SERVICE,)).bindings}

    assert bindings["CreateBook"].body == "book"
    assert bindings["MoveBook"].body == "*"
    assert bindings["ListBooks"].body is None
    assert bindings["ListBooks"].response_body == "books"
    assert bindings["Watch"].call_path == f"/{SERVICE}/Watch"


def test_a_route_may_be_one_method():
    library = opened("/b/{id}", ("GET",), method=f"{SERVICE}/GetBook",
                     fields=(("name", "path.id"),))  # fmt: skip

    (binding,) = library.bindings
    assert (binding.path, binding.body) == ("/b/{id}", None)
    posted = opened("/b", ("POST",), method=f"{SERVICE}/MoveBook")
    assert posted.bindings[0].body == "*"


@pytest.mark.parametrize(
    ("target", "path", "message"),
    [
        ({"method": f"{SERVICE}/Burn"}, "/b", f'there is no method "{SERVICE}/Burn"'),
        ({"method": "Nobody/Burn"}, "/b", 'there is no method "Nobody/Burn"'),
        ({"interface": ("a.B",)}, "/b/*", 'there is no service "a.B"'),
        ({"interface": (SERVICE,)}, "/b", "methods of a service stand below a path"),
        ({}, "/b/*", "does not say which gRPC service's methods these are"),
        ({"method": f"{SERVICE}/Upload"}, "/b", "takes a stream"),
        ({"method": f"{SERVICE}/GetBook"}, "/b/{id}", "GetBookRequest has no field id"),
        (
            {"method": f"{SERVICE}/GetBook", "response_body": "page"},
            "/b/{name}",
            "library.v1.Book has no field page",
        ),
        (
            {"method": f"{SERVICE}/CreateBook", "body": "page"},
            "/b/{shelf}",
            "CreateBookRequest has no field page",
        ),
        (
            {"method": f"{SERVICE}/GetBook", "fields": (("name", "cookie.a"),)},
            "/b",
            '"cookie.a" is no source',
        ),
    ],
)
def test_what_does_not_fit_is_told(target, path, message):
    ((where, text),) = problems(path, **target)

    assert where.startswith("routes.r.grpc")
    assert message in text


def test_a_file_that_is_no_descriptor_is_told(tmp_path: Path):
    (tmp_path / "a.binpb").write_bytes(b"\xff\xff\xff")

    for name in ("a.binpb", "nothing.binpb"):
        with pytest.raises(ConfigurationError, match="cannot be read"):
            read_descriptor_file(tmp_path / name, "routes.r.grpc.descriptors")


def test_files_may_come_in_any_order_and_without_protobufs_own():
    files = library_files()
    shuffled = type(files)(
        file=[f for f in reversed(files.file) if "google/protobuf" not in f.name]
    )

    assert Descriptors(shuffled).method(f"{SERVICE}/GetBook").name == "GetBook"
