"""What one worker invalidates, the others hear: over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest

from graphgw.server.mailboxes import Mailboxes, WorkerRelay
from graphgw.stores.objects import Entry, ObjectTable


class Worker:
    """A relay with a table that keeps entries by their tags."""

    def __init__(self, relay: WorkerRelay) -> None:
        self.relay = relay
        self.table = ObjectTable(max_bytes=10_000_000)
        relay.join(self.table)

    def keep(self, *tags: str) -> None:
        for tag in tags:
            made = Entry(
                tag, since=0.0, until=60.0, version=self.table.version, tags=(tag,)
            )
            self.table.put("g", tag, made, 1)

    def keeps(self, tag: str) -> bool:
        return self.table.get("g", tag, 1.0) is not None

    async def forgets(self, tag: str, seconds: float = 10) -> None:
        ends = time.monotonic() + seconds
        while self.keeps(tag):
            assert time.monotonic() < ends, f"{tag} is still kept"
            await asyncio.sleep(0.005)


@pytest.fixture
def mailboxes():
    opened = Mailboxes(3)
    yield opened
    opened.close()


@pytest.fixture
def workers(mailboxes):
    return [Worker(mailboxes.relay(place)) for place in range(3)]


@contextlib.contextmanager
def listening(*workers: Worker):
    with contextlib.ExitStack() as stack:
        for worker in workers:
            stack.enter_context(worker.relay.listening())
        yield


async def test_what_one_invalidates_all_forget_and_nothing_else(workers):
    for worker in workers:
        worker.keep("a", "b")

    with listening(*workers):
        workers[1].relay.invalidate(["a"])
        assert not workers[1].keeps("a")
        for worker in workers:
            await worker.forgets("a")

    assert all(worker.keeps("b") for worker in workers)


async def test_each_may_be_the_one_that_tells(workers):
    with listening(*workers):
        for number, teller in enumerate(workers):
            for worker in workers:
                worker.keep(f"t{number}")
            teller.relay.invalidate([f"t{number}"])
            for worker in workers:
                await worker.forgets(f"t{number}")


async def test_more_tags_than_one_message_holds_all_arrive(workers):
    tags = [f"{number}-{'x' * 100}" for number in range(1000)]
    workers[1].keep(*tags, "other")

    with listening(*workers):
        workers[0].relay.invalidate(tags)
        for tag in tags:
            await workers[1].forgets(tag)

    assert workers[1].keeps("other")


async def test_what_was_sent_before_a_worker_listens_reaches_it(workers):
    workers[1].keep("a")
    with listening(workers[0]):
        workers[0].relay.invalidate(["a"])

    with listening(workers[1]):
        await workers[1].forgets("a")


async def test_who_takes_a_place_over_hears_what_its_predecessor_did_not(
    mailboxes, workers
):
    with listening(workers[0]):
        workers[0].relay.invalidate(["a"])
    successor = Worker(mailboxes.relay(1))
    successor.keep("a")

    with listening(successor):
        await successor.forgets("a")
        workers[0].relay.invalidate(["b"])


async def test_a_worker_that_does_not_read_holds_nobody_up(workers):
    """It has missed more than waits for it: it forgets everything in the end."""
    teller, silent, other = workers
    silent.keep("kept")
    long = "x" * 10_000

    with listening(teller, other):
        began = time.process_time()
        for number in range(1000):
            teller.relay.invalidate([f"{number}-{long}"])
        assert time.process_time() - began < 5
        assert silent.keeps("kept")
        other.keep("last")
        teller.relay.invalidate(["last"])
        await other.forgets("last")

        with listening(silent):
            await silent.forgets("kept")
            silent.keep("later")
            teller.relay.invalidate(["later"])
            await silent.forgets("later")


async def test_what_waits_for_room_is_sent_in_order_when_there_is_some(workers):
    teller, slow, _ = workers
    tags = [f"{number}-{'x' * 10_000}" for number in range(150)]
    slow.keep("other", *tags)

    with listening(teller):
        for tag in tags:
            teller.relay.invalidate([tag])
        with listening(slow):
            await slow.forgets(tags[-1])

    assert slow.keeps("other")
    assert not any(slow.keeps(tag) for tag in tags)
