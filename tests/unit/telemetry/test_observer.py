from __future__ import annotations

from graphgw.telemetry.events import BatchLoaded, CacheRead
from graphgw.telemetry.observer import Observers


class Everything:
    def __init__(self, seen: list[object]) -> None:
        self.seen = seen

    def observe(self, event: object) -> None:
        self.seen.append(event)


class Batches(Everything):
    def __init__(self, seen: list[object]) -> None:
        super().__init__(seen)
        self.takers = {BatchLoaded: self.take}

    def take(self, event: BatchLoaded) -> None:
        self.seen.append(event.loader)


def test_observers_are_told_in_order_of_what_they_want():
    seen: list[object] = []
    observers = Observers((Batches(seen), Everything(seen)))
    batch, read = BatchLoaded("users", 1, 0.1), CacheRead("User", 2, 1)

    observers.observe(batch)
    observers.observe(read)

    assert seen == ["users", batch, read]
