"""Several worker processes on one socket: start them, replace those that die."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["STARTUP_FAILED", "Supervisor"]

STARTUP_FAILED: Final = 3
"""Exit code of a worker that cannot start: the others could not either."""

_WAITED_FOR: Final = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_LOOK_SECONDS: Final = 0.5
_SHORT_LIFE: Final = 5.0
_FIRST_PAUSE: Final = 0.25
_MAX_PAUSE: Final = 10.0


@dataclass(slots=True)
class _Slot:
    """A place for one worker, whoever holds it."""

    pid: int | None = None
    began: float = 0.0
    pause: float = 0.0
    next_start: float = 0.0


class Supervisor:
    """Keeps ``count`` forked workers running until a signal ends all of them.

    The modules that a worker needs are imported before: workers share their memory,
    and a new one starts in a moment. A worker that dies young comes back after a
    pause that doubles.

    Args:
        count: How many workers.
        work: Runs in each worker with the number of its place, from 0 on, which
            who comes after it takes over; returns its exit code.
        when_ended: Told the process id of each worker that ended.
    """

    def __init__(
        self,
        count: int,
        work: Callable[[int], int],
        when_ended: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._work = work
        self._when_ended = when_ended
        self._slots = [_Slot() for _ in range(count)]
        self._is_stopping = False
        self._code = 0

    def run(self) -> int:
        """Supervise until all is over; return the exit code."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED_FOR)
        try:
            while True:
                self._start_missing(before)
                found = signal.sigtimedwait(_WAITED_FOR, _LOOK_SECONDS)
                if found is not None and not self._take(found.si_signo):
                    return 128 + found.si_signo
                self._reap()
                if self._is_stopping and not self._pids():
                    return self._code
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _take(self, number: int) -> bool:
        """Act on a signal; return whether to go on."""
        if number == signal.SIGHUP:
            self._signal_all(signal.SIGHUP)
        elif number != signal.SIGCHLD:
            if self._is_stopping:
                self._signal_all(signal.SIGKILL)
                return False
            self._stop()
        return True

    def _stop(self) -> None:
        self._is_stopping = True
        self._signal_all(signal.SIGTERM)

    def _signal_all(self, number: int) -> None:
        for pid in self._pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _pids(self) -> list[int]:
        return [slot.pid for slot in self._slots if slot.pid is not None]

    def _start_missing(self, mask: set[signal.Signals | int]) -> None:
        now = time.monotonic()
        for place, slot in enumerate(self._slots):
            if slot.pid is None and not self._is_stopping and slot.next_start <= now:
                slot.began = now
                slot.pid = self._fork(place, mask)

    def _fork(self, place: int, mask: set[signal.Signals | int]) -> int:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            os.setpgid(0, 0)  # Ctrl-C is for the supervisor, which tells the workers
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            code = self._work(place)
        except BaseException:  # noqa: BLE001 - nothing may return into the parent's code
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _reap(self) -> None:
        for slot in self._slots:
            if slot.pid is None:
                continue
            pid, status = os.waitpid(slot.pid, os.WNOHANG)
            if pid:
                slot.pid = None
                self._when_ended(pid)
                self._note_end(slot, pid, os.waitstatus_to_exitcode(status))

    def _note_end(self, slot: _Slot, pid: int, code: int) -> None:
        if self._is_stopping:
            if code != -signal.SIGTERM:  # that one had not begun to serve
                self._code = self._code or abs(code)
            return
        if code == STARTUP_FAILED:
            self._code = 1
            self._stop()
            return
        now = time.monotonic()
        is_young = now - slot.began < _SHORT_LIFE
        slot.pause = min(slot.pause * 2 or _FIRST_PAUSE, _MAX_PAUSE) if is_young else 0
        slot.next_start = now + slot.pause
        sys.stderr.write(f"worker {pid} ended with code {code}; starting another\n")
