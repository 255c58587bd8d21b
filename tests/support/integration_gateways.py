"""Gateways as processes of their own, for the tests that need one each."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
from conftest import RunningGateway, wait_until_ready
from support.processes import start_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["serving", "swaps", "wait_for"]


@contextmanager
def serving(
    *options: str,
    until_ready: bool = True,
    environment: dict[str, str] | None = None,
) -> Iterator[RunningGateway]:
    """Run ``graphgw serve`` with these options on a free port."""
    command = (sys.executable, "-m", "graphgw.cli.main", "serve", "--port", "0")
    process = start_process("gateway", *command, *options, environment=environment)
    try:
        url = f"http://127.0.0.1:{process.wait_for_port()}"
        if until_ready:
            wait_until_ready(url, process)
        yield RunningGateway(process, url)
    finally:
        process.stop()


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until something is true."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it does not happen"
        time.sleep(0.02)


def swaps(gateway: RunningGateway, result: str) -> int:
    """Return how many reloads ended ``ok`` or ``failed``."""
    for line in httpx.get(f"{gateway.url}/metrics").text.splitlines():
        if line.startswith(f'graphgw_snapshot_swaps_total{{result="{result}"}}'):
            return int(float(line.split()[-1]))
    return 0
