"""How much more a row costs among many rows than among few."""

from __future__ import annotations

import gc
import warnings
from statistics import median
from time import process_time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["FEW", "MANY", "MOST", "measure_growth"]

FEW, MANY = 300, 10_000
"""Among few, rows already outweigh what every request costs."""
MOST = 2.0
"""Where the work is linear, 0.4 to 1.1 were found; memory may make it more elsewhere.

Work that grows with ``n ** 1.5`` makes it 5.8 where it is all there is, squares 33.
"""
_ROUNDS = 3
_TRIES = 4


async def measure_growth(
    ask: Callable[[int], Awaitable[object]], few: int = FEW, many: int = MANY
) -> float:
    """Return the CPU of a row among ``many``, as a multiple of that among ``few``.

    Both are asked for in turn, and medians compared. Noise may spoil one measurement;
    so what looks like too much is measured again, and the least is returned.
    """
    await ask(few)
    least = await _measure(ask, few, many)
    for _ in range(_TRIES - 1):
        if least < MOST:
            break
        least = min(least, await _measure(ask, few, many))
    return least


async def _measure(
    ask: Callable[[int], Awaitable[object]], few: int, many: int
) -> float:
    among_few, among_many = [], []
    was_enabled = gc.isenabled()
    with warnings.catch_warnings():
        # What earlier tests left is no part of this one: sockets, for one, that were
        # accepted in the moment in which their server's loop ended.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    gc.disable()
    try:
        for _ in range(_ROUNDS):
            among_few += [await _cost(ask, few) for _ in range(4)]
            among_many.append(await _cost(ask, many))
    finally:
        if was_enabled:
            gc.enable()
    return median(among_many) / median(among_few)


async def _cost(ask: Callable[[int], Awaitable[object]], rows: int) -> float:
    began = process_time()
    await ask(rows)
    return (process_time() - began) / rows
