"""Hand new notifications to those who watch."""

from __future__ import annotations

import asyncio
import enum
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backends.data.notifications import Notification

__all__ = ["WatchEnd", "Watchers"]

MAX_BEHIND = 100


class WatchEnd(enum.Enum):
    """Why a watcher gets nothing more."""

    FELL_BEHIND = enum.auto()
    STOPPED = enum.auto()


Watched: TypeAlias = "asyncio.Queue[Notification | WatchEnd]"


class Watchers:
    """The watchers of every user."""

    def __init__(self) -> None:
        self._user_ids: dict[Watched, str] = {}

    @contextmanager
    def watch(self, user_id: str) -> Iterator[Watched]:
        """Queue the user's new notifications while entered."""
        queue: Watched = asyncio.Queue()
        self._user_ids[queue] = user_id
        try:
            yield queue
        finally:
            self._user_ids.pop(queue, None)

    def publish(self, notification: Notification) -> None:
        """Queue a notification for those who watch its user."""
        for queue, user_id in list(self._user_ids.items()):
            if user_id != notification.user_id:
                continue
            if queue.qsize() < MAX_BEHIND:
                queue.put_nowait(notification)
            else:
                queue.put_nowait(WatchEnd.FELL_BEHIND)
                del self._user_ids[queue]

    def end_all(self) -> None:
        """Tell every watcher that the service stops."""
        for queue in self._user_ids:
            queue.put_nowait(WatchEnd.STOPPED)
        self._user_ids.clear()
