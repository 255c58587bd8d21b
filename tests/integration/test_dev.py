"""``graphgw dev`` as a real process: one console, reload, and no orphans."""

from __future__ import annotations

import os
import re
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import httpx
import pytest
from support.processes import ROOT, RunningProcess, start_process

SCHEMA = """
import strawberry
from graphgw import Subgraph, resolved

async def greeting(context) -> str:
    return "hello"

@strawberry.type
class Query:
    greeting: str = resolved(greeting)

subgraph = Subgraph("greeting", query=Query)
"""
WORKER = """
import os, signal, socket, subprocess, sys, time
port = int(sys.argv[1])
inner = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
listener = socket.create_server(("127.0.0.1", port))
print(f"worker {os.getpid()} with {inner.pid}", flush=True)
time.sleep(600)
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


def wait_until(condition: Callable[[], object], running: RunningProcess) -> None:
    ends = time.monotonic() + 30
    while not condition():
        if time.monotonic() > ends or running.process.poll() is not None:
            raise AssertionError("it does not happen:\n" + "\n".join(running.lines))
        time.sleep(0.05)


def wait_for_line(running: RunningProcess, pattern: str, count: int = 1) -> list[str]:
    """Return what the pattern's group matched, once it did so ``count`` times."""
    found: list[str] = []

    def look() -> bool:
        text = "\n".join(running.lines)
        found[:] = re.findall(pattern, text)
        return len(found) >= count

    wait_until(look, running)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a project of one subgraph and one process."""
    (tmp_path / "greeting_schema.py").write_text(SCHEMA)
    (tmp_path / "worker.py").write_text(WORKER)
    return tmp_path


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., RunningProcess]]:
    """Start ``graphgw dev`` over a configuration's ``dev`` part; ends it after."""
    started: list[RunningProcess] = []

    def run(processes: str, *options: str) -> RunningProcess:
        config = folder / "graphgw.yaml"
        config.write_text(
            "subgraphs: {greeting: greeting_schema:subgraph}\n" + dedent(processes)
        )
        running = start_process(
            "dev",
            sys.executable, "-m", "graphgw.cli.main", "dev",
            "--config", str(config), *options,
        )  # fmt: skip
        started.append(running)
        return running

    yield run
    for running in started:
        running.stop()


def ask(url: str, query: str) -> dict[str, object]:
    answer = httpx.post(f"{url}/graphql", json={"query": query}, timeout=10)
    return dict(answer.json())


def url_of(running: RunningProcess) -> str:
    return wait_for_line(running, r"GraphQL +(http://127.0.0.1:\d+)/graphql")[0]


def test_the_example_runs_whole_and_ends_whole(tmp_path: Path):
    text = (ROOT / "graphgw.yaml").read_text()
    text = text.replace("descriptors: ", f"descriptors: {ROOT}/")
    ports = {port: free_port() for port in (4101, 4102, 4103, 4104)}
    for old, new in ports.items():
        text = text.replace(str(old), str(new))
    config = tmp_path / "graphgw.yaml"
    config.write_text(text)
    for name in ("examples", "operations"):
        shutil.copytree(ROOT / name, tmp_path / name)
    running = start_process(
        "dev",
        sys.executable, "-m", "graphgw.cli.main", "dev",
        "--config", str(config), "--port", "0",
    )  # fmt: skip
    try:
        answer = ask(
            url_of(running),
            "{ users(first: 1) { nodes { orders(first: 1) { nodes { items {"
            " product { name } } } } notifications { totalCount } } } }",
        )
        lines = "\n".join(running.lines)
    finally:
        code = running.stop()

    assert "errors" not in answer
    assert re.search(r"^ +user │ .*listening on", lines, re.MULTILINE)
    assert code == 0
    assert (tmp_path / ".graphgw" / "dev-private.pem").stat().st_mode & 0o777 == 0o600
    for port in ports.values():
        with socket.create_server(("127.0.0.1", port)):
            pass


def test_a_signal_ends_the_processes_and_what_they_started(start):
    port = free_port()
    running = start(
        f"dev: {{processes: {{worker: {{command: python worker.py {port},"
        f" port: {port}}}}}}}\n",
        "--port",
        "0",
    )
    url_of(running)
    [pids] = wait_for_line(running, r"worker (\d+ with \d+)")

    code = running.stop()

    assert code == 0
    assert [pid for pid in pids.split(" with ") if is_alive(int(pid))] == []


def test_a_process_that_dies_is_reported_and_started_again(start):
    port = free_port()
    running = start(
        f"dev: {{processes: {{worker: {{command: python worker.py {port},"
        f" port: {port}}}}}}}\n",
        "--port",
        "0",
    )
    [pids] = wait_for_line(running, r"worker (\d+ with \d+)")

    os.kill(int(pids.split()[0]), 9)

    wait_for_line(running, r"worker │ was ended by SIGKILL; starts again in 0.5 s")
    wait_for_line(running, r"worker (\d+ with \d+)", count=2)


def test_a_command_that_does_not_exist_is_told_and_the_gateway_runs(start):
    running = start(
        "dev: {processes: {nothing: {command: no-such-command}}}\n", "--port", "0"
    )

    answer = ask(url_of(running), "{ greeting }")

    assert answer == {"data": {"greeting": "hello"}}
    wait_for_line(running, r"nothing │ cannot start no-such-command: No such file")


def test_a_changed_source_starts_the_gateway_again(start, folder: Path):
    running = start("", "--port", "0")
    url = url_of(running)
    schema = folder / "greeting_schema.py"

    schema.write_text("this is not Python")
    wait_for_line(running, r"gateway │ (greeting_schema.py changed: starting again)")
    wait_for_line(running, r"gateway │ (ended with code \d+)")
    schema.write_text(SCHEMA.replace("greeting: str", "welcome: str"))

    def has_new_field() -> bool:
        try:
            return ask(url, "{ welcome }") == {"data": {"welcome": "hello"}}
        except httpx.TransportError:
            return False

    wait_until(has_new_field, running)


def test_a_taken_port_gives_one_message_and_starts_nothing(start):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
        running = start(
            "dev: {processes: {a: {command: sleep 60}}}", "--port", str(port)
        )

        code = running.process.wait(30)

    running.stop()
    assert code == 1
    assert running.lines[0] == f"gateway: port {port} is taken"
    assert "graphgw dev --port 4001" in running.lines[1]
    assert len(running.lines) == 2


@pytest.mark.parametrize(
    ("processes", "options", "told"),
    [
        pytest.param(
            """
            dev:
              processes:
                a: {command: sleep 60, port: 65001}
                b: {command: sleep 60, port: 65001}
            """,
            (),
            "b: port 65001 is wanted by a too",
            id="wanted-twice",
        ),
        pytest.param(
            "dev: {processes: {a: {command: sleep 60, optional: true}}}",
            ("--with", "b"),
            'dev.processes: there is no process "b"',
            id="unknown-process",
        ),
    ],
)
def test_processes_that_do_not_fit_are_refused(
    start, processes: str, options: tuple[str, ...], told: str
):
    running = start(processes, "--port", "0", *options)

    code = running.process.wait(30)

    running.stop()
    assert code == 1
    assert running.lines[0] == told
