"""The cheap gate that every text passes before it is parsed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from graphgw.errors import LimitError

if TYPE_CHECKING:
    from graphgw.operations.settings import LimitSettings

__all__ = ["check_text", "exceeded"]

_TOKEN: Final = re.compile(
    r"""
    [\ \t\n\r,\ufeff]*+
    (?:
      (?P<open> [\{\(\[] )
    | (?P<close> [\}\)\]] )
    | (?P<number> -?[0-9][0-9.eE+\-]*+ )
    | (?P<other>
        [_A-Za-z][_0-9A-Za-z]*+
      | \.\.\.
      | [!$&:=@|]
      | \#[^\n\r]*+
      | \"{3} (?: [^\"\\]++ | \\\"{3} | \\ | \"(?!\"\") )*+ \"{3}
      | \"(?!\"\") (?: [^\"\\\n\r]++ | \\. )*+ \"
      )
    | (?P<end> \Z )
    )
    """,
    re.VERBOSE,
)


def check_text(text: str, limits: LimitSettings) -> None:
    """Refuse a text that is too long, has too many tokens or nests too deeply.

    Comments count as tokens, for the parser keeps them. Reads up to the first thing
    that is not a token, where the parser stops too; needs no recursion and time that
    is linear in the text.

    Raises:
        LimitError: A limit is exceeded.
    """
    if len(text) * 4 > limits.document_bytes:
        size = len(text.encode("utf-8", "surrogatepass"))
        if size > limits.document_bytes:
            raise exceeded("document_bytes", limits.document_bytes, str(size))
    tokens = depth = position = 0
    match = _TOKEN.match
    while (token := match(text, position)) and (kind := token.lastgroup) != "end":
        position = token.end()
        tokens += 1
        if tokens > limits.tokens:
            raise exceeded("tokens", limits.tokens)
        if kind == "open":
            depth += 1
            if depth > limits.nesting:
                raise exceeded("nesting", limits.nesting)
        elif kind == "close":
            depth -= 1
        elif kind == "number" and len(token["number"]) > limits.number_digits:
            found = str(len(token["number"]))
            raise exceeded("number_digits", limits.number_digits, found)


def exceeded(setting: str, limit: int, found: str | None = None) -> LimitError:
    """Return the error for a document that is over the limit of that name."""
    return LimitError(
        f"The document has {found or f'more than {limit}'} {_NOUNS[setting]};"
        f" at most {limit} are allowed (limits.{setting}).",
        extensions={"limit": setting, "maximum": limit},
    )


_NOUNS: Final = {
    "document_bytes": "bytes",
    "tokens": "tokens",
    "number_digits": "digits in one number",
    "nesting": "brackets inside each other",
    "depth": "levels of fields",
    "aliases": "aliases with its fragments expanded",
    "root_fields": "root fields",
    "directives": "directives with its fragments expanded",
    "expanded_selections": "selections with its fragments expanded",
    "conditions": "variables in @skip and @include",
}
