import asyncio
import threading

import pytest
from support.clock import ManualClock

from graphgw.sources.http_transport.resolver import SystemResolver


class Names:
    """A name service that answers what it is told to, and counts."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def __call__(self, host):
        self.asked.append(host)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def clock():
    return ManualClock()


async def test_addresses_are_remembered_for_half_a_minute(clock):
    names = Names(("10.0.0.1",), ("10.0.0.2",))
    resolver = SystemResolver(names, clock=clock)

    first = [await resolver.resolve("users") for _ in range(3)]
    clock.advance(31)
    then = await resolver.resolve("users")

    assert first == [("10.0.0.1",)] * 3
    assert then == ("10.0.0.2",)
    assert names.asked == ["users", "users"]
    resolver.close()


async def test_known_addresses_survive_a_name_service_that_fails(clock):
    resolver = SystemResolver(Names(("10.0.0.1",), OSError("down")), clock=clock)
    await resolver.resolve("users")

    clock.advance(3600)

    assert await resolver.resolve("users") == ("10.0.0.1",)
    resolver.close()


async def test_a_name_that_nobody_knows_is_an_error(clock):
    resolver = SystemResolver(Names(OSError("unknown")), clock=clock)

    with pytest.raises(OSError, match="unknown"):
        await resolver.resolve("no-such-host.invalid")
    resolver.close()


async def test_all_who_wait_ask_once_and_do_not_block_the_loop(clock):
    gate = threading.Event()
    names = Names(("10.0.0.1",))

    def look_up(host):
        gate.wait(5)
        return names(host)

    resolver = SystemResolver(look_up, clock=clock)
    waiting = [asyncio.ensure_future(resolver.resolve("users")) for _ in range(10)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    gate.set()

    assert await asyncio.gather(*waiting[1:]) == [("10.0.0.1",)] * 9
    assert names.asked == ["users"]
    resolver.close()


async def test_addresses_are_not_looked_up(clock):
    resolver = SystemResolver(Names(OSError()), clock=clock)

    assert await resolver.resolve("127.0.0.1") == ("127.0.0.1",)
    assert await resolver.resolve("::1") == ("::1",)


async def test_the_system_knows_this_machine(clock):
    resolver = SystemResolver(clock=clock)

    assert set(await resolver.resolve("localhost")) & {"127.0.0.1", "::1"}
    resolver.close()
