"""Fixtures that the whole suite shares: the example as real processes."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import httpx
import pytest
from hypothesis import settings
from support.processes import ROOT, RunningProcess, start_backend, start_process

from backends.protos import calls_pb2, calls_pb2_grpc
from graphgw.cli.token import ensure_key_pair

# How long an example takes tells of the machine, not of the property.
settings.register_profile("graphgw", deadline=None)
settings.load_profile("graphgw")


def pytest_configure() -> None:
    """Make the keys of development once, before processes that share them start."""
    ensure_key_pair(ROOT / ".graphgw")


BACKENDS = ("user", "product", "order", "notification")


@dataclass
class Shop:
    """The four backends of the example, and what each was asked."""

    processes: dict[str, RunningProcess] = field(default_factory=dict)

    def restart(self, name: str) -> None:
        """Start a backend again on the port that it had."""
        self.processes[name] = start_backend(name, port=self.processes[name].port)
        self.processes[name].wait_for_port()

    def environment(self) -> dict[str, str]:
        """Return the variables that tell the gateway where the backends are."""
        return {
            f"{name.upper()}_URL": (
                f"http://127.0.0.1:{running.port}"
                if name in {"user", "product"}
                else f"grpc://127.0.0.1:{running.port}"
            )
            for name, running in self.processes.items()
        }

    def reset_calls(self) -> None:
        """Set every counter to zero."""
        for name in ("user", "product"):
            httpx.delete(self._calls_url(name)).raise_for_status()
        for name in ("order", "notification"):
            with grpc.insecure_channel(self._address(name)) as channel:
                calls_pb2_grpc.CallsServiceStub(channel).Reset(calls_pb2.ResetRequest())

    def calls(self) -> dict[str, dict[str, tuple[int, int]]]:
        """Return (calls, keys) by backend and endpoint since the last reset."""
        counted: dict[str, dict[str, tuple[int, int]]] = {}
        for name in ("user", "product"):
            found: dict[str, Any] = httpx.get(self._calls_url(name)).json()
            counted[name] = {k: (v["calls"], v["keys"]) for k, v in found.items()}
        for name in ("order", "notification"):
            with grpc.insecure_channel(self._address(name)) as channel:
                reply = calls_pb2_grpc.CallsServiceStub(channel).Get(
                    calls_pb2.GetRequest()
                )
            counted[name] = {k: (v.calls, v.keys) for k, v in reply.endpoints.items()}
        return counted

    def _address(self, name: str) -> str:
        return f"127.0.0.1:{self.processes[name].port}"

    def _calls_url(self, name: str) -> str:
        return f"http://{self._address(name)}/_calls"


@dataclass
class RunningGateway:
    """A gateway process and where it listens."""

    process: RunningProcess
    url: str

    def ask(
        self,
        query: str,
        variables: dict[str, Any] | None = None,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        """Send one operation by POST and return the answer."""
        return self.post(query, variables, token=token, headers=headers).json()

    def post(
        self,
        query: str,
        variables: dict[str, Any] | None = None,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """Send one operation by POST and return the HTTP response."""
        sent = dict(headers or {})
        if token:
            sent["authorization"] = f"Bearer {token}"
        body = {"query": query, "variables": variables or {}}
        return httpx.post(f"{self.url}/graphql", json=body, headers=sent, timeout=30)


@pytest.fixture(scope="session")
def shop() -> Iterator[Shop]:
    """Run the four example backends for the whole test run."""
    shop = Shop({name: start_backend(name) for name in BACKENDS})
    try:
        for running in shop.processes.values():
            running.wait_for_port()
        yield shop
    finally:
        for running in shop.processes.values():
            running.stop()


@pytest.fixture(scope="session")
def gateway(shop: Shop) -> Iterator[RunningGateway]:
    """Run the example gateway over the backends, as ``graphgw serve`` does."""
    ensure_key_pair(ROOT / ".graphgw")
    process = start_process(
        "gateway",
        sys.executable, "-m", "graphgw.cli.main", "serve",
        "--config", "graphgw.yaml", "--port", "0",
        environment=shop.environment(),
    )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{process.wait_for_port()}"
        wait_until_ready(url, process)
        yield RunningGateway(process, url)
    finally:
        process.stop()


def wait_until_ready(url: str, process: RunningProcess) -> None:
    """Wait until a gateway has a graph to serve."""
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        try:
            if httpx.get(f"{url}/health").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise RuntimeError("the gateway is not ready:\n" + "\n".join(process.lines))
