"""Which labels of progressive overrides are active for a request."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["find_active_labels"]

_NO_LABELS: Final[frozenset[str]] = frozenset()
_PERCENT: Final = re.compile(r"percent\((\d{1,3}(?:\.\d{1,8})?)\)")


def find_active_labels(labels: Collection[str], seed: str) -> frozenset[str]:
    """Return those of the labels that are active for ``seed``.

    ``percent(n)`` is active for n in a hundred seeds, always the same ones.
    """
    if not labels:
        return _NO_LABELS
    return frozenset(label for label in labels if _is_active(label, seed))


def _is_active(label: str, seed: str) -> bool:
    found = _PERCENT.fullmatch(label)
    if found is None:
        return False
    digest = hashlib.sha256(f"{label}\0{seed}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64 * 100 < float(found[1])
