"""Looks after a service's addresses: asks for their health, looks up their names."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from graphgw.sources.http_transport.resolver import SystemResolver

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from graphgw.sources.balancing.addresses import Address
    from graphgw.sources.balancing.balancer import Balancer
    from graphgw.sources.balancing.settings import HealthCheckSettings
    from graphgw.sources.http_transport.resolver import Resolver

__all__ = ["Watch"]


class Watch:
    """The tasks beside the calls; they begin with the first call.

    Args:
        balancer: Is told what is found.
        ask: Tells whether an address says that it is well.
        forget: Closes the connections to addresses that went.
        resolver: Finds the addresses of names.
    """

    __slots__ = (
        "_ask",
        "_balancer",
        "_forget",
        "_gone",
        "_resolver",
        "_starting",
        "_tasks",
        "is_ready",
    )

    def __init__(
        self,
        balancer: Balancer,
        ask: Callable[[Address, HealthCheckSettings], Awaitable[bool]],
        forget: Callable[[Sequence[Address]], Awaitable[None]],
        resolver: Resolver | None = None,
    ) -> None:
        self._balancer = balancer
        self._ask = ask
        self._forget = forget
        self._resolver = resolver
        self._tasks: list[asyncio.Task[None]] = []
        self._starting: asyncio.Task[None] | None = None
        self._gone: list[Address] = []
        self.is_ready = False
        """Whether calls need not wait for anything."""

    async def start(self) -> None:
        """Find the names' addresses once, and begin to look after them."""
        if self._starting is None:
            self._starting = asyncio.get_running_loop().create_task(self._begin())
        await asyncio.shield(self._starting)

    async def aclose(self) -> None:
        """End all tasks."""
        tasks = [*self._tasks, *([self._starting] if self._starting else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._resolver is not None:
            self._resolver.close()

    async def look_up(self) -> None:
        """Ask for the addresses of every name; those that fail keep what they had."""
        settings = self._balancer.settings
        records: dict[str, Sequence[str]] = {}
        resolver = self._resolver = self._resolver or SystemResolver()
        for url in {item.url for item in settings.all_urls}:
            parts = urlsplit(url)
            try:
                async with asyncio.timeout(settings.connect_timeout):
                    found = await resolver.resolve(parts.hostname or "")
            except (OSError, TimeoutError):
                continue
            records[f"{parts.scheme}://{parts.netloc}"] = tuple(sorted(found))
        self._gone.extend(self._balancer.renew(records))
        idle = [item for item in self._gone if not item.outstanding]
        self._gone = [item for item in self._gone if item.outstanding]
        await self._forget(idle)

    async def check(self, check: HealthCheckSettings) -> None:
        """Ask every address once whether it is well."""
        addresses = tuple(self._balancer.addresses)
        answers = await asyncio.gather(*(self._ask(item, check) for item in addresses))
        for address, is_well in zip(addresses, answers, strict=True):
            self._balancer.take_check(address, is_well=is_well)

    async def _begin(self) -> None:
        settings = self._balancer.settings
        if settings.balance.each_record:
            await self.look_up()
            self._repeat(self.look_up, settings.balance.record_interval)
        check = settings.health_check
        if check is not None:
            self._repeat(lambda: self.check(check), check.interval, is_now=True)
        self.is_ready = True

    def _repeat(
        self,
        work: Callable[[], Coroutine[None, None, None]],
        seconds: float,
        *,
        is_now: bool = False,
    ) -> None:
        async def run() -> None:
            if is_now:
                await work()
            while True:
                await asyncio.sleep(seconds)
                await work()

        self._tasks.append(asyncio.get_running_loop().create_task(run()))
