"""Which HTTP requests are which calls: ``google.api.http`` and routes' own mappings.

See https://github.com/googleapis/googleapis/blob/master/google/api/http.proto.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.api import annotations_pb2, http_pb2  # type: ignore[import-untyped]  # the library has none
from google.protobuf.descriptor_pb2 import MethodOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.descriptor import MethodDescriptor

__all__ = ["WHOLE_BODY", "Binding", "read_annotations"]

WHOLE_BODY = "*"
"""The body is the whole request message."""


@dataclass(frozen=True, slots=True, eq=False)
class Binding:
    """One way to call a method.

    ``fields`` are pairs of a field's path and the part of the request that it comes
    from; the path's parameters and, where the body is not the whole message, the
    query's are taken by their own names beside.
    """

    method: MethodDescriptor
    http_method: str
    """In capitals; empty where the route says it."""
    path: str
    body: str | None = None
    """A field's name, ``*``, or ``None`` where there is no body."""
    response_body: str | None = None
    fields: tuple[tuple[str, str], ...] = ()

    @property
    def call_path(self) -> str:
        """The method's path in gRPC."""
        return f"/{self.method.containing_service.full_name}/{self.method.name}"


def read_annotations(method: MethodDescriptor) -> Iterator[Binding]:
    """Yield the bindings that a method's ``google.api.http`` option has."""
    # The pool's own options may come from before the extension was known.
    options = MethodOptions.FromString(method.GetOptions().SerializeToString())
    if not options.HasExtension(annotations_pb2.http):
        return
    rule = options.Extensions[annotations_pb2.http]
    for one in (rule, *rule.additional_bindings):
        binding = _read_rule(method, one)
        if binding is not None:
            yield binding


def _read_rule(method: MethodDescriptor, rule: http_pb2.HttpRule) -> Binding | None:
    kind = rule.WhichOneof("pattern")
    if kind is None:
        return None
    if kind == "custom":
        http_method, path = rule.custom.kind.upper(), rule.custom.path
    else:
        http_method, path = kind.upper(), getattr(rule, kind)
    return Binding(
        method,
        "" if http_method == WHOLE_BODY else http_method,
        path,
        rule.body or None,
        rule.response_body or None,
    )
