"""The comment above an operation, as text about it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from graphql import OperationDefinitionNode

__all__ = ["read_comment"]

_LAST_LINES: Final = re.compile(r"(?:^[ \t,\ufeff]*#.*\n)+(?=[ \t,]*\Z)", re.MULTILINE)


def read_comment(text: str, operation: OperationDefinitionNode) -> str:
    """Return the comment that ends right above an operation; empty without one."""
    if operation.loc is None:
        return ""
    before = text[: operation.loc.start].replace("\r\n", "\n").replace("\r", "\n")
    found = _LAST_LINES.search(before)
    if found is None:
        return ""
    lines = (
        line.strip(" \t,\ufeff").removeprefix("#").removeprefix(" ")
        for line in found[0].splitlines()
    )
    return "\n".join(line.rstrip() for line in lines).strip()
