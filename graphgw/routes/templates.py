"""Path templates: what a route matches, and what its parameters are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from graphgw.routes.paths import decode_text, encode_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "BELOW",
    "ONE",
    "REST",
    "Template",
    "TemplateError",
    "parse_host",
    "parse_template",
]

REST: Final = "*"
"""The parameter that holds what a final ``/*`` matched, without decoding it."""

ONE: Final = "*"
BELOW: Final = "**"
_TOKENS: Final = re.compile(r"\{([^{}]*)\}|[^{}/]+|/")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_LITERAL: Final = re.compile(r"[A-Za-z0-9._~!$&'()+,=@-]+")
_VERB: Final = re.compile(r":([A-Za-z0-9_-]+)$")
_LABEL: Final = re.compile(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*")


class TemplateError(ValueError):
    """A path or host that cannot be matched."""


@dataclass(frozen=True, slots=True)
class Template:
    """A path as segments; ``captures`` are names with the segments that they span.

    A segment is a literal, ``*`` (one segment) or ``**`` (all that are left).
    """

    segments: tuple[str, ...]
    captures: tuple[tuple[str, int, int], ...] = ()
    verb: str | None = None

    @property
    def names(self) -> frozenset[str]:
        """The names of the parameters."""
        return frozenset(name for name, _, _ in self.captures)

    @property
    def is_open(self) -> bool:
        """Tell whether it matches all that is below it."""
        return self.segments[-1:] == (BELOW,)

    def read(self, segments: tuple[str, ...]) -> dict[str, str]:
        """Return the parameters of a path that it matches, percent-decoded.

        What a final ``/*`` matched is given as it was sent.
        """
        found = {}
        for name, start, end in self.captures:
            parts = segments[start : end or None]
            if name != REST:
                parts = tuple(decode_text(part) for part in parts)
            found[name] = "/".join(parts)
        return found

    def fill(self, parameters: Mapping[str, str]) -> str:
        """Return the path with its parameters filled in, ready to be sent."""
        parts = list(self.segments)
        for name, start, end in reversed(self.captures):
            value = parameters[name]
            if name != REST:
                is_one = end == start + 1
                pieces = [value] if is_one else value.split("/")
                value = "/".join(encode_text(piece) for piece in pieces)
            parts[start : end or len(parts)] = [value]
        verb = "" if self.verb is None else f":{self.verb}"
        return "/" + "/".join(parts) + verb


def parse_template(text: str) -> Template:
    """Read ``/users/{id}``, ``/files/*``, ``/users/{id}:verb``, ``/{name=a/*/**}``.

    Raises:
        TemplateError: It is none of these.
    """
    if not text.startswith("/"):
        raise TemplateError('a path must start with "/"')
    verb = _VERB.search(text.rpartition("/")[2].rpartition("}")[2] or "")
    body = text[: -len(verb[0])] if verb else text
    segments: list[str] = []
    captures: list[tuple[str, int, int]] = []
    for part in _split_template(body[1:]):
        if part.startswith("{"):
            name, pattern = _read_parameter(part)
            captures.append((name, len(segments), len(segments) + len(pattern)))
            segments += pattern
        else:
            segments.append(_read_literal(part, is_only=body == "/"))
    if segments[-1] == ONE and not (captures and captures[-1][2] == len(segments)):
        captures.append((REST, len(segments) - 1, 0))
        segments[-1] = BELOW
    if segments[-1] == BELOW and captures:
        captures[-1] = (*captures[-1][:2], 0)
    _check(segments, captures)
    return Template(tuple(segments), tuple(captures), verb[1] if verb else None)


def _split_template(text: str) -> Iterator[str]:
    part = ""
    for token in _TOKENS.finditer(text):
        if token[0] == "/":
            yield part
            part = ""
        else:
            part += token[0]
    if "".join(token[0] for token in _TOKENS.finditer(text)) != text:
        raise TemplateError("a brace is not closed")
    yield part


def _read_parameter(part: str) -> tuple[str, list[str]]:
    found = _TOKENS.fullmatch(part)
    if found is None or found[1] is None:
        raise TemplateError("a parameter must be a whole segment")
    name, separator, pattern = found[1].partition("=")
    if _NAME.fullmatch(name) is None:
        raise TemplateError(f'"{name}" is no name of a parameter')
    if not separator:
        return name, [ONE]
    return name, [_read_literal(item, is_only=False) for item in pattern.split("/")]


def _read_literal(part: str, *, is_only: bool) -> str:
    if part in {ONE, BELOW} or (not part and is_only):
        return part
    if part in {".", ".."} or _LITERAL.fullmatch(part) is None:
        raise TemplateError(f'"{part}" is no segment of a path')
    return part


def _check(segments: list[str], captures: list[tuple[str, int, int]]) -> None:
    if BELOW in segments[:-1]:
        raise TemplateError("only the end of a path may match several segments")
    names = [name for name, _, _ in captures]
    if len(set(names)) < len(names):
        raise TemplateError("a parameter is named twice")


def parse_host(text: str) -> str:
    """Return a host or ``*.host`` in the form that hosts are compared in.

    Raises:
        TemplateError: It is neither.
    """
    if _LABEL.fullmatch(text.lower()) is None:
        raise TemplateError(f'"{text}" is no host')
    return text.lower()
