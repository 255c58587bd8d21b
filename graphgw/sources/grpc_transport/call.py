"""One call under way, as its connection sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphgw.sources.grpc_transport.answers import PREFIX_SIZE

if TYPE_CHECKING:
    import asyncio

    from graphgw.errors import SourceError
    from graphgw.sources.grpc_transport.answers import Head
    from graphgw.sources.grpc_transport.calls import Calls
    from graphgw.types import Deadline

__all__ = ["Call"]


class Call:
    """A call, what is still to be sent of it, and what came back so far."""

    __slots__ = (
        "_calls",
        "answer",
        "data",
        "deadline",
        "had_answers",
        "head",
        "size",
        "started_at",
        "stream_id",
        "unsent",
        "window",
    )

    def __init__(
        self,
        calls: Calls,
        stream_id: int,
        deadline: Deadline,
        answer: asyncio.Future[bytes],
        started_at: float,
    ) -> None:
        self._calls = calls
        self.stream_id = stream_id
        self.deadline = deadline
        self.answer = answer
        self.started_at = started_at
        self.had_answers = calls.answered > 0
        self.unsent: memoryview | None = None
        """The rest of the request that no window has had room for."""
        self.window = 0
        """How much more of the request the service takes now."""
        self.head: Head | None = None
        self.data: bytes | bytearray = b""
        self.size = -1
        """The length of the answer with its prefix, as that says; -1 before."""

    @property
    def is_stale(self) -> bool:
        """Tell whether the connection may have been dead when the call was sent."""
        return self.had_answers and self.head is None

    def cancel(self) -> None:
        """End the call at the service too: nobody waits for its answer any more."""
        self._calls.cancel(self)

    def divert(self, deadline: Deadline) -> None:
        """Let the call settle a new future, until another deadline."""
        self.deadline = deadline
        self.answer = self.answer.get_loop().create_future()

    def take(self, data: bytes) -> None:
        """Add a part of the answer."""
        if not self.data:
            self.data = data
        elif isinstance(self.data, bytearray):
            self.data += data
        else:
            self.data = bytearray(self.data) + data
        if self.size < 0 and len(self.data) >= PREFIX_SIZE:
            self.size = PREFIX_SIZE + int.from_bytes(self.data[1:PREFIX_SIZE], "big")

    def read_plain(self) -> bytes | None:
        """Return the message, if all of it has come in one piece, sent as it is."""
        head, data = self.head, self.data
        if (
            head is None
            or not head.is_plain
            or len(data) != self.size
            or data[0]
            or isinstance(data, bytearray)
        ):
            return None
        return data[PREFIX_SIZE:]

    def fail(self, error: SourceError) -> None:
        """Settle the call with an error, unless it is settled."""
        if not self.answer.done():
            self.answer.set_exception(error)
