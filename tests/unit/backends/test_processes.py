import asyncio
import re
import signal
import sys
from contextlib import asynccontextmanager

import grpc
import grpc.aio
import httpx
import pytest

from backends.protos import notification_pb2 as pb
from backends.protos.notification_pb2_grpc import NotificationServiceStub

SERVICES = ["user", "product", "order", "notification"]


@asynccontextmanager
async def started(name, *arguments):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"backends.{name}",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(30):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def read_url(process):
    line = (await process.stdout.readline()).decode()
    found = re.fullmatch(r"\w+ service listening on (\w+://127\.0\.0\.1:\d+)\n", line)
    assert found, line
    return found[1]


@pytest.mark.parametrize("name", SERVICES)
async def test_a_service_says_where_it_listens_and_ends_at_sigterm(name):
    async with started(name, "--port", "0") as process:
        await read_url(process)

        process.send_signal(signal.SIGTERM)
        rest, complaints = await process.communicate()

    assert (rest, complaints, process.returncode) == (b"", b"", 0)


@pytest.mark.parametrize("name", SERVICES)
async def test_a_taken_port_is_said_in_one_line(name):
    async with started(name, "--port", "0") as first:
        port = (await read_url(first)).rpartition(":")[2]
        async with started(name, "--port", port) as second:
            _, complaints = await second.communicate()

    last_line = complaints.decode().splitlines()[-1]
    assert last_line.startswith(f"cannot listen on 127.0.0.1:{port}: ")
    assert second.returncode == 1


async def test_a_rest_service_is_slowed_down_and_keeps_its_changes(tmp_path):
    arguments = ("--port", "0", "--database", str(tmp_path / "shop.db"))
    async with started("user", *arguments) as process, httpx.AsyncClient() as client:
        url = await read_url(process)
        await client.patch(f"{url}/users/u1", json={"name": "Ada"})
        process.send_signal(signal.SIGTERM)
        await process.wait()

    slow = ("--delay-ms", "50")
    async with (
        started("user", *arguments, *slow) as process,
        httpx.AsyncClient() as client,
    ):
        answer = await client.get(f"{await read_url(process)}/users/u1")

    assert answer.json()["name"] == "Ada"
    assert answer.elapsed.total_seconds() >= 0.05


async def test_a_watched_service_ends_at_sigterm_too():
    async with started("notification", "--port", "0") as process:
        target = (await read_url(process)).removeprefix("grpc://")
        async with grpc.aio.insecure_channel(target) as channel:
            stub = NotificationServiceStub(channel)
            watch = stub.Watch(pb.WatchRequest(user_id="u1"))
            await watch.initial_metadata()

            process.send_signal(signal.SIGTERM)
            _, complaints = await process.communicate()
            code = await watch.code()

    assert (code, complaints) == (grpc.StatusCode.UNAVAILABLE, b"")
    assert process.returncode == 0


async def test_a_rest_service_with_open_connections_ends_at_sigterm_too():
    async with started("user", "--port", "0") as process, httpx.AsyncClient() as client:
        await client.get(f"{await read_url(process)}/users/u1")

        process.send_signal(signal.SIGTERM)
        _, complaints = await process.communicate()

    assert (complaints, process.returncode) == (b"", 0)
