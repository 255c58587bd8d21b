"""Freed memory is kept for the next answer, where the C library is glibc."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="there is nothing to set"
)

COUNT_FAULTS = """
import resource
from graphgw.server.freed_memory import keep_freed_memory

if {keeps}:
    assert keep_freed_memory() == 3

def count():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def answer():
    parts = [bytes(100_000) for _ in range(20)]
    return b"".join(parts)

for _ in range(20):
    answer()
before = count()
for _ in range(50):
    answer()
print(count() - before)
"""


def count_faults(*, keeps):
    code = COUNT_FAULTS.format(keeps=keeps)
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def test_answers_are_made_in_the_memory_of_those_before():
    assert count_faults(keeps=True) * 10 < count_faults(keeps=False)


def test_what_the_environment_says_stays(monkeypatch):
    code = (
        "from graphgw.server.freed_memory import keep_freed_memory\n"
        "print(keep_freed_memory())"
    )
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "1000000")
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert int(done.stdout) == 2
