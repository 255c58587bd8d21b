import asyncio

import pytest

from graphgw.execution.time_limit import TimeLimit


async def test_what_ends_in_time_is_left_alone():
    with TimeLimit(5) as limit:
        await asyncio.sleep(0)

    assert not limit.is_over


async def test_what_takes_too_long_is_ended():
    limit = TimeLimit(0.01)

    with pytest.raises(TimeoutError), limit:
        await asyncio.Event().wait()

    assert limit.is_over
    assert asyncio.current_task().cancelling() == 0
    await asyncio.sleep(0)


async def test_no_time_at_all_ends_at_the_first_wait():
    with pytest.raises(TimeoutError), TimeLimit(0):
        await asyncio.Event().wait()


async def test_each_of_many_has_its_own_time():
    async def wait(seconds):
        try:
            with TimeLimit(seconds):
                await asyncio.Event().wait()
        except TimeoutError:
            ended.append(seconds)

    ended = []
    await asyncio.gather(*map(wait, (0.05, 0.01, 0.03)))

    assert ended == [0.01, 0.03, 0.05]


async def test_an_earlier_limit_is_not_kept_waiting_by_a_later_one():
    loop = asyncio.get_running_loop()
    began = loop.time()

    with TimeLimit(30):
        pass
    with pytest.raises(TimeoutError), TimeLimit(30), TimeLimit(0.01):
        await asyncio.Event().wait()

    assert loop.time() - began < 5


async def test_a_cancelled_task_stays_cancelled():
    async def wait():
        with TimeLimit(5):
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cancelling_counts_where_time_is_over_as_well():
    started = asyncio.Event()

    async def wait():
        with TimeLimit(0.01):
            started.set()
            try:
                await asyncio.Event().wait()
            finally:
                asyncio.current_task().cancel()

    task = asyncio.create_task(wait())

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_error_of_the_block_is_its_own():
    with pytest.raises(KeyError), TimeLimit(5):
        raise KeyError
