"""How small and how large numbers in the settings may be, by the setting's name.

A time or a ratio must be above zero and a count at least zero, but for what is listed
here.
"""

from __future__ import annotations

import math
from typing import Final

__all__ = ["check_count", "check_number"]

_MAY_BE_ZERO: Final = frozenset(
    (
        "backoff",
        "budget_per_second",
        "budget_ratio",
        "leeway",
        "share",
        "shutdown_delay",
        "shutdown_grace",
        "slow_start",
    )
)
_AT_LEAST_ONE: Final = frozenset(
    (
        "burst",
        "concurrency",
        "consecutive_failures",
        "depth",
        "document_bytes",
        "errors",
        "expanded_selections",
        "healthy",
        "limit",
        "list_size",
        "max_answer_bytes",
        "max_batch",
        "max_body_bytes",
        "max_cached_graphs",
        "max_connections",
        "max_fetches",
        "max_frame_bytes",
        "max_header_bytes",
        "max_in_flight",
        "min_requests",
        "nesting",
        "number_digits",
        "preparation_queue",
        "root_fields",
        "tokens",
        "unhealthy",
        "weight",
        "workers",
    )
)
_AT_MOST: Final = {"failure_ratio": 1, "max_ejected": 1, "port": 65535, "share": 1}


def check_number(name: str, value: float) -> float:
    """Return a time or a ratio that is within its bounds.

    Raises:
        ValueError: It is not.
    """
    if not math.isfinite(value):
        raise ValueError("must be a finite number")
    if name in _MAY_BE_ZERO:
        if value < 0:
            raise ValueError("must be at least 0")
    elif value <= 0:
        raise ValueError("must be above 0")
    return _check_highest(name, value)


def check_count(name: str, value: int) -> int:
    """Return a count that is within its bounds.

    Raises:
        ValueError: It is not.
    """
    lowest = 1 if name in _AT_LEAST_ONE else 0
    if value < lowest:
        raise ValueError(f"must be at least {lowest}")
    return int(_check_highest(name, value))


def _check_highest(name: str, value: float) -> float:
    highest = _AT_MOST.get(name)
    if highest is not None and value > highest:
        raise ValueError(f"must be at most {highest}")
    return value
