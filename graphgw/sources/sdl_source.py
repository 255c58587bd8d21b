"""Where a supergraph SDL comes from: a file that is watched, a URL that is polled."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import httpx
import watchfiles

from graphgw.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["SDLSource", "SupergraphSettings", "open_sdl_source"]

_MAX_BYTES = 32 * 1024 * 1024
_TIMEOUT = 10.0
_NOT_MODIFIED = 304
_OK = 200


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
            ConfigurationError: It cannot be read.
        """
        ...

    def changes(self) -> AsyncIterator[str]:
        """Yield the SDL whenever it has changed; never ends.

        What cannot be read at the moment is passed over.
        """
        ...


def open_sdl_source(settings: SupergraphSettings) -> SDLSource:
    """Return the source for a location."""
    if settings.location.startswith(("http://", "https://")):
        return _URLSource(settings)
    return _FileSource(Path(settings.location))


class _FileSource:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._text: str | None = None

    async def read(self) -> str:
        try:
            text = await asyncio.to_thread(self._path.read_text, "utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise _unreadable(str(self._path), error) from error
        self._text = text
        return text

    async def changes(self) -> AsyncIterator[str]:
        async for _ in watchfiles.awatch(self._path.resolve().parent, recursive=False):
            before = self._text
            try:
                text = await self.read()
            except ConfigurationError:
                continue
            if text != before:
                yield text


class _URLSource:
    def __init__(self, settings: SupergraphSettings) -> None:
        self._settings = settings
        self._etag: str | None = None
        self._text: str | None = None

    async def read(self) -> str:
        text = await self._fetch()
        if text is None:
            raise _unreadable(self._settings.location, "it answered nothing new")
        return text

    async def changes(self) -> AsyncIterator[str]:
        while True:
            await asyncio.sleep(self._settings.poll_interval)
            before = self._text
            try:
                text = await self._fetch()
            except ConfigurationError:
                continue
            if text is not None and text != before:
                yield text

    async def _fetch(self) -> str | None:
        headers = dict(self._settings.headers)
        if self._etag is not None:
            headers["if-none-match"] = self._etag
        location = self._settings.location
        try:
            async with (
                asyncio.timeout(_TIMEOUT),
                httpx.AsyncClient() as client,
                client.stream("GET", location, headers=headers) as response,
            ):
                if response.status_code == _NOT_MODIFIED and self._etag is not None:
                    return None
                if response.status_code != _OK:
                    raise _unreadable(location, f"it answered {response.status_code}")
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > _MAX_BYTES:
                        raise _unreadable(location, "it is too large")
                text = body.decode()
        except (httpx.HTTPError, TimeoutError, UnicodeDecodeError) as error:
            raise _unreadable(location, error) from error
        self._etag = response.headers.get("etag")
        self._text = text
        return text


def _unreadable(location: str, reason: object) -> ConfigurationError:
    text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return ConfigurationError(
        [Problem(f"cannot read the supergraph: {text}", where=location)]
    )
