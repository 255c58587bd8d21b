"""A route's mapping, or a service's annotations, checked against its messages."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from graphgw.errors import ConfigurationError, Problem
from graphgw.routes.match import Place
from graphgw.routes.templates import TemplateError, parse_template
from graphgw.transcoding.descriptors import Descriptors
from graphgw.transcoding.handler import Transcoding
from graphgw.transcoding.http_rules import WHOLE_BODY, Binding, read_annotations
from graphgw.transcoding.request import find_field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from google.protobuf.descriptor import Descriptor
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    from graphgw.routes.settings import RouteSettings
    from graphgw.routes.targets import GRPCTarget

__all__ = ["open_transcoding"]

_SOURCE: Final = re.compile(r"(path|query|header|claim)\..+")
_SOURCES: Final = "say path.NAME, query.NAME, header.NAME or claim.NAME"
_BODILESS: Final = frozenset(("GET", "HEAD", "DELETE"))


def open_transcoding(
    route: RouteSettings, target: GRPCTarget, files: FileDescriptorSet
) -> Transcoding:
    """Return the calls that a route leads to.

    With a method the route itself is the mapping. With a service alone all that its
    ``google.api.http`` annotations say is below the route's path, which ends in
    ``/*``.

    Args:
        route: Its settings.
        target: Those of its gRPC service.
        files: Declare the methods and their messages.

    Raises:
        ConfigurationError: They do not fit together; all problems.
    """
    opening = _Opening(route, target)
    try:
        descriptors = Descriptors(files)
    except TypeError as error:
        raise ConfigurationError(
            [Problem(f"the descriptors do not fit together: {error}", opening.where)]
        ) from error
    if target.method is not None:
        places = list(opening.mapped(descriptors, target.method))
    else:
        places = list(opening.annotated(descriptors))
    if opening.problems:
        raise ConfigurationError(opening.problems)
    return Transcoding(descriptors, places)


class _Opening:
    """Collects what is wrong with one route."""

    def __init__(self, route: RouteSettings, target: GRPCTarget) -> None:
        self.where = f"routes.{route.name}.grpc"
        self.problems: list[Problem] = []
        self._route = route
        self._target = target

    def _problem(
        self, message: str, setting: str = "", mend: str | None = None
    ) -> None:
        self.problems.append(Problem(message, f"{self.where}{setting}", mend))

    def mapped(
        self, descriptors: Descriptors, name: str
    ) -> Iterator[tuple[Place, Binding]]:
        """Yield the one method that the route is mapped to."""
        try:
            method = descriptors.method(name)
        except KeyError:
            self._problem(
                f'there is no method "{name}"',
                ".method",
                "write it as package.Service/Method",
            )
            return
        methods = self._route.methods
        body = self._target.body
        if body is None and methods and not _BODILESS.issuperset(methods):
            body = WHOLE_BODY
        binding = Binding(
            method,
            "",
            self._route.path,
            body,
            self._target.response_body,
            self._target.fields,
        )
        place = self._place(binding)
        if place is not None:
            # What the route matches is decided already, methods too.
            yield replace(place, methods=frozenset()), binding

    def annotated(self, descriptors: Descriptors) -> Iterator[tuple[Place, Binding]]:
        """Yield every annotated method of the service."""
        prefix, star, _ = self._route.path.rpartition("/*")
        if not star:
            self._problem(
                "the methods of a service stand below a path",
                mend='end the path in "/*", or name one method',
            )
            return
        names = self._target.interface or self._service_names(descriptors)
        found = False
        for name in names:
            try:
                methods = descriptors.service_methods(name)
            except KeyError:
                self._problem(f'there is no service "{name}"', ".interface")
                continue
            for method in methods:
                for binding in read_annotations(method):
                    found = True
                    below = replace(binding, path=prefix + binding.path)
                    place = self._place(below)
                    if place is not None:
                        yield place, below
        if not found and not self.problems:
            self._problem(
                "no method has a google.api.http annotation",
                mend="annotate them, or map one by method: package.Service/Method",
            )

    def _service_names(self, descriptors: Descriptors) -> tuple[str, ...]:
        del descriptors
        self._problem(
            "it does not say which gRPC service's methods these are",
            ".interface",
            "write interface: [package.Service]",
        )
        return ()

    def _place(self, binding: Binding) -> Place | None:
        method = binding.method
        label = f"{method.full_name} at {binding.path}"
        if method.client_streaming:
            self._problem(f"{label} takes a stream, which one request is not")
            return None
        try:
            template = parse_template(binding.path)
        except TemplateError as error:
            self._problem(f"{label}: {error}")
            return None
        taken = {source for _, source in binding.fields}
        own = sorted(template.names - {WHOLE_BODY})
        given = [name for name, _ in binding.fields]
        given += [name for name in own if f"path.{name}" not in taken]
        self._check(binding, given, label)
        methods = frozenset((binding.http_method,) if binding.http_method else ())
        return Place(self._route.name, template, methods)

    def _check(self, binding: Binding, given: Iterable[str], label: str) -> None:
        kind = binding.method.input_type
        for name in given:
            if not _has_field(kind, name):
                self._problem(
                    f"{label}: {kind.full_name} has no field {name}",
                    mend="call the parameter like the field, or say it under fields",
                )
        for _, source in binding.fields:
            if not _SOURCE.fullmatch(source):
                self._problem(f'"{source}" is no source', ".fields", _SOURCES)
        body = binding.body
        if body not in {None, WHOLE_BODY} and find_field(kind, str(body)) is None:
            self._problem(f"{label}: {kind.full_name} has no field {body}", ".body")
        answer = binding.response_body
        output = binding.method.output_type
        if answer is not None and answer not in output.fields_by_name:
            self._problem(
                f"{label}: {output.full_name} has no field {answer}", ".response_body"
            )


def _has_field(kind: Descriptor | None, path: str) -> bool:
    for step in path.split("."):
        field = None if kind is None else find_field(kind, step)
        if field is None:
            return False
        kind = field.message_type
    return True
