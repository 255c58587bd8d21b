"""A bound on the CPU time of cold work."""

from __future__ import annotations

import threading
import time

from graphgw.errors import PlanningError

__all__ = ["Budget"]


class Budget:
    """CPU seconds that one piece of work may take, on the thread that does it.

    The stages call ``check`` inside their loops. A budget that was made on another
    thread starts anew at the first check.
    """

    __slots__ = ("_end", "_thread", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._thread = threading.get_ident()
        self._end = time.thread_time() + seconds

    def check(self) -> None:
        """Return while there is time left.

        Raises:
            PlanningError: The time is used up (``PLANNING_TIMEOUT``).
        """
        now = time.thread_time()
        if now < self._end and self._thread == threading.get_ident():
            return
        self._check_thread(now)

    def _check_thread(self, now: float) -> None:
        if self._thread != threading.get_ident():
            self._thread = threading.get_ident()
            self._end = now + self.seconds
            return
        message = f"preparing the operation took more than {self.seconds:g} s of CPU"
        raise PlanningError(message, timeout=True)
