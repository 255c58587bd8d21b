import asyncio
import threading

import pytest

from graphgw.errors import LimitError, OverloadedError
from graphgw.operations.worker import ColdWorker


@pytest.fixture
async def worker():
    worker = ColdWorker(queue_size=2)
    yield worker
    await worker.aclose()


async def test_functions_run_in_one_other_thread(worker):
    one = await worker.run("a", threading.get_ident)
    two = await worker.run("b", threading.get_ident)

    assert one == two != threading.get_ident()


async def test_equal_keys_run_once(worker):
    gate = threading.Event()
    runs: list[int] = []

    def work() -> list[int]:
        gate.wait(5)
        runs.append(1)
        return runs

    waiters = [asyncio.create_task(worker.run("k", work)) for _ in range(50)]
    await asyncio.sleep(0)
    gate.set()

    results = await asyncio.gather(*waiters)

    assert runs == [1]
    assert all(result is runs for result in results)
    assert worker.pending == 0


async def test_a_failure_reaches_every_waiter_and_is_forgotten(worker):
    gate = threading.Event()

    def fail() -> None:
        gate.wait(5)
        raise LimitError("too much")

    waiters = [asyncio.create_task(worker.run("k", fail)) for _ in range(3)]
    await asyncio.sleep(0)
    gate.set()

    results = await asyncio.gather(*waiters, return_exceptions=True)

    assert [type(result) for result in results] == [LimitError] * 3
    assert await worker.run("k", lambda: "fine") == "fine"


async def test_a_cancelled_waiter_leaves_the_others(worker):
    gate = threading.Event()

    def work() -> str:
        gate.wait(5)
        return "done"

    first = asyncio.create_task(worker.run("k", work))
    second = asyncio.create_task(worker.run("k", work))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait((first,))
    gate.set()

    assert first.cancelled()
    assert await second == "done"


async def test_a_result_is_kept_though_everybody_has_left(worker):
    gate = threading.Event()
    kept: list[str] = []

    def work() -> str:
        gate.wait(5)
        return "done"

    waiters = [
        asyncio.create_task(worker.run("k", work, kept.append)) for _ in range(100)
    ]
    await asyncio.sleep(0)
    for waiter in waiters:
        waiter.cancel()
    await asyncio.wait(waiters)
    gate.set()
    await worker.run("other", lambda: None)

    assert kept == ["done"]


async def test_there_is_no_moment_between_running_and_being_kept(worker):
    kept: dict[str, int] = {}
    runs: list[int] = []
    waiters = []

    def work() -> int:
        runs.append(1)
        return 1

    async def ask() -> None:
        if "k" not in kept:
            await worker.run("k", work, lambda found: kept.setdefault("k", found))

    for _ in range(2000):
        waiters.append(asyncio.create_task(ask()))
        await asyncio.sleep(0)
    await asyncio.gather(*waiters)

    assert (runs, kept) == ([1], {"k": 1})


async def test_a_failure_is_not_kept(worker):
    kept: list[object] = []

    def fail() -> None:
        raise LimitError("too much")

    with pytest.raises(LimitError):
        await worker.run("k", fail, kept.append)

    assert kept == []


async def test_a_failure_that_nobody_waits_for_is_no_warning(worker):
    gate = threading.Event()

    def fail() -> None:
        gate.wait(5)
        raise LimitError("too much")

    waiter = asyncio.create_task(worker.run("k", fail))
    await asyncio.sleep(0)
    waiter.cancel()
    await asyncio.wait((waiter,))
    gate.set()
    await worker.run("other", lambda: None)

    assert worker.pending == 0


async def test_a_full_queue_refuses(worker):
    gate = threading.Event()
    waiters = [
        asyncio.create_task(worker.run(key, lambda: gate.wait(5))) for key in "abc"
    ]
    await asyncio.sleep(0)

    with pytest.raises(OverloadedError) as caught:
        await worker.run("d", lambda: None)
    joined = asyncio.create_task(worker.run("a", lambda: None))
    await asyncio.sleep(0)
    gate.set()

    assert caught.value.status == 503
    assert caught.value.code == "LIMIT_EXCEEDED"
    assert await asyncio.gather(*waiters, joined) == [True] * 4


async def test_closing_ends_what_runs_and_refuses_what_waits():
    worker = ColdWorker()
    gate = threading.Event()
    running = asyncio.create_task(worker.run("a", lambda: gate.wait(5)))
    waiting = asyncio.create_task(worker.run("b", lambda: None))
    await asyncio.sleep(0)
    closing = asyncio.create_task(worker.aclose())
    await asyncio.sleep(0)
    gate.set()
    await closing

    assert await running is True
    with pytest.raises(OverloadedError, match="stopping"):
        await waiting
    with pytest.raises(OverloadedError, match="stopping"):
        await worker.run("c", lambda: None)
