"""Have the C library keep the memory of answers for the answers that come next.

By default glibc gives freed memory back to the system early and asks for it again soon
after, page by page: each is cleared before it is handed out.
"""

from __future__ import annotations

import ctypes
import os
from typing import Final

__all__ = ["keep_freed_memory"]

_KEPT_BYTES: Final = 64 * 1024 * 1024
_ASKED_BYTES: Final = 1024 * 1024
_SINGLE_BYTES: Final = 32 * 1024 * 1024

_OPTIONS: Final = (
    ("MALLOC_TRIM_THRESHOLD_", -1, _KEPT_BYTES),  # what stays, freed, at the heap's end
    ("MALLOC_TOP_PAD_", -2, _ASKED_BYTES),  # what is asked for beyond what is needed
    ("MALLOC_MMAP_THRESHOLD_", -3, _SINGLE_BYTES),  # what goes back by itself
)
"""Environment variable, ``mallopt`` parameter and bytes; see mallopt(3)."""


def keep_freed_memory() -> int:
    """Keep up to 64 MiB that were freed.

    What the environment says already stays; other C libraries are left as they are.

    Returns:
        How many of the three options the C library took.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return 0
    return sum(
        mallopt(parameter, size) == 1
        for variable, parameter, size in _OPTIONS
        if variable not in os.environ
    )
