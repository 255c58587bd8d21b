"""Give up a request when its client leaves."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

__all__ = ["unless_client_leaves"]

Answer = TypeVar("Answer")

_WATCH_AFTER = 0.02
"""Seconds after which a running request is watched for a client that left."""


async def unless_client_leaves(
    handled: Awaitable[Answer], receive: Receive
) -> Answer | None:
    """Await the answer; ``None`` when the client left and it was given up.

    It waits for ``http.disconnect`` beside the answer, under any ASGI server.
    """
    task = _current_task()
    watch = _ClientWatch(task, receive)
    timer = asyncio.get_running_loop().call_later(_WATCH_AFTER, watch.start)
    try:
        return await handled
    except asyncio.CancelledError:
        if watch.client_left and task.uncancel() == 0:
            return None
        raise
    finally:
        timer.cancel()
        await watch.stop()


def _current_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("requests are served in a task")
    return task


class _ClientWatch:
    """Cancels a task when its client disconnects."""

    __slots__ = ("_receive", "_task", "_watcher", "client_left")

    def __init__(self, task: asyncio.Task[Any], receive: Receive) -> None:
        self._task = task
        self._receive = receive
        self._watcher: asyncio.Task[None] | None = None
        self.client_left = False

    def start(self) -> None:
        self._watcher = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.client_left = True
        self._task.cancel()

    async def stop(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.wait([self._watcher])
