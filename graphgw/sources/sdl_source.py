"""Where a supergraph SDL comes from: a file that is watched, a URL that is polled."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

import httpx

from graphgw.errors import (
    ConfigurationError,
    Problem,
    SupergraphUnavailableError,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

__all__ = ["SDLChange", "SDLSource", "SupergraphSettings", "open_sdl_source"]

SDLChange: TypeAlias = "str | ConfigurationError"
"""A new SDL, or why there is none; the same reason is told once in a row."""

_MAX_BYTES: Final = 32 * 1024 * 1024
_TIMEOUT: Final = 10.0
_FIRST_RETRY: Final = 0.5
_OK: Final = 200
_NOT_MODIFIED: Final = 304
_PASSING: Final = frozenset({408, 425, 429})
_SERVER_ERROR: Final = 500
_CREDENTIALS: Final = re.compile(r"//[^/@\s]*@")


@dataclass(frozen=True, slots=True, kw_only=True)
class SupergraphSettings:
    """A ready supergraph: ``location`` is a path or an ``http(s)`` URL."""

    location: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Sent to the URL, such as a registry's key."""
    poll_interval: float = 10.0
    """Seconds between two looks at the URL."""


class SDLSource(Protocol):
    """Reads an SDL and tells of its changes."""

    async def read(self) -> str:
        """Return the SDL.

        Raises:
            SupergraphUnavailableError: It cannot be had now, and later it may.
            ConfigurationError: It cannot be read.
        """
        ...

    def changes(self) -> AsyncIterator[SDLChange]:
        """Yield what is new since it was last read; never ends."""
        ...


def open_sdl_source(
    settings: SupergraphSettings, *, look_seconds: float = 0.2
) -> SDLSource:
    """Return the source for a location; files are looked at so often."""
    if settings.location.startswith(("http://", "https://")):
        return _URLSource(settings)
    return _FileSource(Path(settings.location), look_seconds)


class _FileSource:
    """Looks at a file a few times each second.

    That finds what notifications of the system miss: links that come to point
    elsewhere, as those of mounted configuration do, and files on network drives.
    """

    def __init__(self, path: Path, look_seconds: float) -> None:
        self._path = path
        self._look_seconds = look_seconds
        self._mark: _Mark | None = None
        self._text: str | None = None

    async def read(self) -> str:
        try:
            self._mark, text = await asyncio.to_thread(self._read)
        except (OSError, UnicodeDecodeError) as error:
            raise _unreadable(str(self._path), error) from error
        self._text = text
        return text

    async def changes(self) -> AsyncIterator[SDLChange]:
        before = self._mark
        while True:
            await asyncio.sleep(self._look_seconds)
            mark = await asyncio.to_thread(_mark, self._path)
            is_at_rest, before = mark == before, mark
            if is_at_rest and mark != self._mark:
                # A file that is still being written changes between two looks.
                change = await self._take(mark)
                if change is not None:
                    yield change

    async def _take(self, mark: _Mark | None) -> SDLChange | None:
        known = self._text
        try:
            text = await self.read()
        except ConfigurationError as error:
            self._mark = mark
            return error
        return None if text == known else text

    def _read(self) -> tuple[_Mark | None, str]:
        mark = _mark(self._path)
        return mark, self._path.read_text("utf-8")


_Mark: TypeAlias = tuple[int, int, int, int]
"""What differs once a file was written or replaced."""


def _mark(path: Path) -> _Mark | None:
    """Return a file's mark; ``None`` where there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class _URLSource:
    """Asks a URL for what is new, with the entity tag of what is known."""

    def __init__(self, settings: SupergraphSettings) -> None:
        self._settings = settings
        self._etag: str | None = None
        self._text: str | None = None
        self._tls: ssl.SSLContext | None = None

    async def read(self) -> str:
        self._etag = None
        await self._fetch()
        return self._text or ""

    async def changes(self) -> AsyncIterator[SDLChange]:
        interval = self._settings.poll_interval
        pause = interval if self._text is not None else min(_FIRST_RETRY, interval)
        failure = ""
        while True:
            await asyncio.sleep(pause)
            pause = interval if self._text is not None else min(pause * 2, interval)
            known = self._text
            try:
                await self._fetch()
            except ConfigurationError as error:
                if error.message != failure:
                    failure = error.message
                    yield error
                continue
            failure, pause = "", interval
            if self._text is not None and self._text != known:
                yield self._text

    async def _fetch(self) -> None:
        """Ask once; keep the text if it is new.

        Redirects are not followed: the headers are for this URL alone.
        """
        location = self._settings.location
        headers = {"accept": "text/plain, */*", **dict(self._settings.headers)}
        if self._etag is not None:
            headers["if-none-match"] = self._etag
        if self._tls is None:
            self._tls = await asyncio.to_thread(httpx.create_ssl_context)
        try:
            async with (
                asyncio.timeout(_TIMEOUT),
                httpx.AsyncClient(verify=self._tls, timeout=_TIMEOUT) as client,
                client.stream("GET", location, headers=headers) as response,
            ):
                if response.status_code == _NOT_MODIFIED and self._etag is not None:
                    return
                _check_status(location, response.status_code)
                text = await _read_text(location, response)
        except (httpx.TransportError, TimeoutError) as error:
            raise _unavailable(location, error) from error
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise _unreadable(location, error) from error
        self._etag = response.headers.get("etag")
        self._text = text


def _check_status(location: str, status: int) -> None:
    if status == _OK:
        return
    reason = f"it answered {status}"
    if status >= _SERVER_ERROR or status in _PASSING:
        raise _unavailable(location, reason)
    raise _unreadable(location, reason)


async def _read_text(location: str, response: httpx.Response) -> str:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > _MAX_BYTES:
            raise _unreadable(location, "it is too large")
    return body.decode()


def _unreadable(location: str, reason: object) -> ConfigurationError:
    return ConfigurationError([_problem(location, reason)])


def _unavailable(location: str, reason: object) -> SupergraphUnavailableError:
    return SupergraphUnavailableError([_problem(location, reason)])


def _problem(location: str, reason: object) -> Problem:
    text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return Problem(f"cannot read the supergraph: {text}", where=_shown(location))


def _shown(location: str) -> str:
    """Return a location without the secrets that a URL may hold."""
    if "://" not in location:
        return location
    return _CREDENTIALS.sub("//***@", location.partition("?")[0])
