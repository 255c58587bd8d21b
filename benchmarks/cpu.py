"""What a process has used of the machine, from /proc (Linux)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

__all__ = ["cpu_seconds", "parse_stat", "resident_bytes"]

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_USER_TIME: Final = 11
_SYSTEM_TIME: Final = 12


def cpu_seconds(pid: int) -> float:
    """Return user and system time of all threads of a process, in seconds."""
    return parse_stat(Path(f"/proc/{pid}/stat").read_text()) / _TICKS


def parse_stat(text: str) -> int:
    """Return the clock ticks in a ``stat`` file; the name in it may hold anything."""
    fields = text.rpartition(")")[2].split()
    return int(fields[_USER_TIME]) + int(fields[_SYSTEM_TIME])


def resident_bytes(pid: int) -> int:
    """Return the memory that a process has in use."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
