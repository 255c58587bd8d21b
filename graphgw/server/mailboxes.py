"""Invalidations from worker to worker, over sockets that all of them inherit."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections import deque
from typing import TYPE_CHECKING, Final

from graphgw.stores.relay import EVERYTHING, MAX_MESSAGE_BYTES, Tables, pack_tags

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from graphgw.stores.objects import ObjectTable

__all__ = ["Mailboxes", "WorkerRelay"]

_MAX_WAITING: Final = 256
"""Messages that wait for one worker; more become one: forget everything."""

_BUFFER_BYTES: Final = 256 * 1024
"""Room for what a worker has not read; some systems have too little by default."""

_MAX_READ: Final = 64
"""Messages that are read before requests have their turn."""

_FULL: Final = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS})


class Mailboxes:
    """One socket for each worker's place, to be opened before workers are forked.

    No worker that comes or goes changes them: who takes a place over reads on where
    its predecessor ended, and what it forgets too much is what it has not kept yet.
    """

    def __init__(self, count: int) -> None:
        self._pairs = [
            socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(count)
        ]
        for pair in self._pairs:
            for end in pair:
                end.settimeout(0)
                for size in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                    end.setsockopt(socket.SOL_SOCKET, size, _BUFFER_BYTES)

    def relay(self, place: int) -> WorkerRelay:
        """Return the relay of the worker at a place."""
        others = [sender for _, sender in self._pairs]
        del others[place]
        return WorkerRelay(self._pairs[place][0], others)

    def close(self) -> None:
        """Close every socket in this process."""
        for pair in self._pairs:
            for end in pair:
                end.close()


class WorkerRelay:
    """Tells other workers what is invalidated, and hears it from them.

    A message has left before ``invalidate`` returns, unless its receiver has not
    read for long; then it waits here, and nobody for it.

    Args:
        inbox: Where this worker hears the others.
        outboxes: Where each of the others hears this one.
    """

    def __init__(self, inbox: socket.socket, outboxes: Sequence[socket.socket]) -> None:
        self._inbox = inbox
        self._outboxes = tuple(map(_Outbox, outboxes))
        self._tables = Tables()

    def join(self, objects: ObjectTable) -> None:
        """Let a table forget what others forget, for as long as it is used."""
        self._tables.join(objects)

    def invalidate(self, tags: Sequence[str]) -> None:
        """Invalidate tags in every table of every worker."""
        self._tables.invalidate(tags)
        for message in pack_tags(tags):
            for outbox in self._outboxes:
                outbox.send(message)

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Hear the others meanwhile; the loop must run."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._inbox, self._read)
        try:
            yield
        finally:
            loop.remove_reader(self._inbox)
            for outbox in self._outboxes:
                outbox.stop()

    def _read(self) -> None:
        for _ in range(_MAX_READ):
            try:
                message = self._inbox.recv(MAX_MESSAGE_BYTES)
            except (BlockingIOError, InterruptedError):
                return
            self._tables.receive(message)


class _Outbox:
    """What one other worker is to be told, in order."""

    def __init__(self, sender: socket.socket) -> None:
        self._sender = sender
        self._waiting: deque[bytes] = deque()

    def send(self, message: bytes) -> None:
        """Send a message, or keep it until there is room."""
        if self._waiting:
            self._keep(message)
        elif not self._try(message):
            self._keep(message)
            asyncio.get_running_loop().add_writer(self._sender, self._flush)

    def stop(self) -> None:
        """Make a last attempt, and wait no longer for room."""
        if self._waiting:
            self._flush()
            asyncio.get_running_loop().remove_writer(self._sender)

    def _keep(self, message: bytes) -> None:
        if len(self._waiting) >= _MAX_WAITING:
            self._waiting.clear()
            message = EVERYTHING
        self._waiting.append(message)

    def _flush(self) -> None:
        waiting = self._waiting
        while waiting and self._try(waiting[0]):
            waiting.popleft()
        if not waiting:
            asyncio.get_running_loop().remove_writer(self._sender)

    def _try(self, message: bytes) -> bool:
        try:
            self._sender.send(message)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            return False
        return True
