"""What a document may be at most, and which are prepared before they are asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LimitSettings", "WarmUpSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    """Limits on documents, all on by default; every way in obeys them.

    Selections, aliases, root fields and directives are counted with every fragment
    expanded, so that a small text cannot ask for a lot.
    """

    document_bytes: int = 1024 * 1024
    """Bytes of the document's text."""
    tokens: int = 5000
    """Lexical tokens and comments."""
    nesting: int = 100
    """Brackets of any kind that are open at once."""
    number_digits: int = 400
    """Digits of one number literal."""
    depth: int = 15
    """Fields inside each other; those below ``__schema`` and ``__type`` are free."""
    aliases: int = 30
    root_fields: int = 20
    """Distinct response keys at the root."""
    directives: int = 50
    expanded_selections: int = 100_000
    """Fields and fragments of all operations of the document together."""
    conditions: int = 8
    """Distinct variables in ``@skip`` and ``@include``."""
    errors: int = 10
    """Errors that one answer reports of a document."""
    preparation_seconds: float = 1.0
    """CPU time from lexing to the compiled plan."""
    preparation_queue: int = 100
    """Documents that wait for the worker thread; more are refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUpSettings:
    """Which documents are prepared before a new schema serves its first request.

    At a reload they are those that were asked most under the schema before it.
    """

    documents: int = 100
    """How many; 0 prepares none."""
    seconds: float = 2.0
    """What a start or a reload may take longer for it."""
    files: tuple[str, ...] = ()
    """Patterns of ``.graphql`` files to prepare at the start."""
    remember: Path | None = None
    """Where a process that ends leaves its documents for the next one to start with.

    Their literals stand in it as clients wrote them."""
