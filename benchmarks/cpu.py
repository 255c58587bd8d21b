"""What a process and its children have used of the machine, from /proc (Linux)."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

__all__ = ["cpu_seconds", "find_tree", "parse_stat", "resident_bytes"]

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_PROC: Final = Path("/proc")
_PARENT: Final = 1
_TIMES: Final = slice(11, 15)
"""User and system time of the process, and those of children that have ended."""


def cpu_seconds(pid: int) -> float:
    """Return user and system time of a process and its children, in seconds."""
    return sum(parse_stat(_read(pid, "stat")) for pid in find_tree(pid)) / _TICKS


def parse_stat(text: str) -> int:
    """Return the clock ticks in a ``stat`` file; the name in it may hold anything."""
    return sum(map(int, _fields(text)[_TIMES]))


def resident_bytes(pid: int) -> int:
    """Return the memory that a process and its children have in use."""
    pages = [int(_read(pid, "statm").split()[1]) for pid in find_tree(pid)]
    return sum(pages) * _PAGE


def find_tree(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            # What ends meanwhile is nobody's child any more.
            with contextlib.suppress(OSError):
                parent = _fields((folder / "stat").read_text())[_PARENT]
                children.setdefault(int(parent), []).append(int(folder.name))
    found = [pid]
    for known in found:
        found += children.get(known, [])
    return found


def _fields(text: str) -> list[str]:
    return text.rpartition(")")[2].split()


def _read(pid: int, name: str) -> str:
    return (_PROC / str(pid) / name).read_text()
