"""Where an issuer's keys come from: a file, a secret, or a URL asked in time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

import httpx

from graphgw.errors import ConfigurationError, Problem, UnauthenticatedError
from graphgw.policies.authenticate.keys import (
    KeySet,
    read_jwks,
    read_pem_keys,
    secret_key,
)
from graphgw.policies.authenticate.strict_json import read_strict_object

if TYPE_CHECKING:
    from graphgw.policies.settings import IssuerSettings
    from graphgw.types import Clock

__all__ = ["FixedKeys", "KeySource", "RemoteKeys", "open_key_source"]

UNKNOWN_KEY_PAUSE: Final = 30.0
"""Seconds between two questions for keys that nobody knows."""

RETRY_PAUSE: Final = 5.0
"""Seconds between two questions while the URL fails."""

_MAX_BYTES: Final = 1024 * 1024


class KeySource(Protocol):
    """Has an issuer's keys."""

    def at_hand(self) -> KeySet | None:
        """Return the keys if they need not be asked for first.

        Old ones are renewed behind the request. Equal keys are the same object.
        """
        ...

    async def keys(self) -> KeySet:
        """Return the keys, asking for them if need be.

        Raises:
            UnauthenticatedError: There are none that may still be trusted.
        """
        ...

    async def keys_after_unknown(self) -> KeySet:
        """Return the keys, asking again because a token's key is not among them."""
        ...

    async def aclose(self) -> None:
        """Stop asking."""
        ...


class FixedKeys:
    """Keys that do not change."""

    __slots__ = ("_keys",)

    def __init__(self, keys: KeySet) -> None:
        self._keys = keys

    def at_hand(self) -> KeySet | None:
        """Return the keys."""
        return self._keys

    async def keys(self) -> KeySet:
        """Return the keys."""
        return self._keys

    async def keys_after_unknown(self) -> KeySet:
        """Return the same keys: there are no others."""
        return self._keys

    async def aclose(self) -> None:
        """Nothing to stop."""


class RemoteKeys:
    """Keys of a JWKS URL: cached, renewed behind the requests, kept while it fails.

    However many ask, one question is under way. A token with an unknown key causes
    one question in ``UNKNOWN_KEY_PAUSE`` seconds at most. Redirects are not followed.
    """

    def __init__(
        self, settings: IssuerSettings, client: httpx.AsyncClient, clock: Clock
    ) -> None:
        self._settings = settings
        self._client = client
        self._clock = clock
        self._keys: KeySet | None = None
        self._asked_at = float("-inf")
        self._renewed_at = float("-inf")
        self._unknown_at = float("-inf")
        self._question: asyncio.Task[None] | None = None

    def at_hand(self) -> KeySet | None:
        """Return the keys if they need not be asked for first."""
        now = self._clock.monotonic()
        if now - self._renewed_at > self._settings.jwks_max_age:
            return None
        is_due = now - self._renewed_at > self._settings.jwks_refresh
        if is_due and now - self._asked_at > RETRY_PAUSE:
            self._ask()
        return self._keys

    async def keys(self) -> KeySet:
        """Return the keys, asking for them if need be.

        Raises:
            UnauthenticatedError: There are none that may still be trusted.
        """
        found = self.at_hand()
        if found is None:
            if self._clock.monotonic() - self._asked_at > RETRY_PAUSE:
                self._ask()
            await self._wait()
            found = self.at_hand()
        if found is None:
            raise UnauthenticatedError("the issuer's keys cannot be had")
        return found

    async def keys_after_unknown(self) -> KeySet:
        """Return the keys, asking again because a token's key is not among them."""
        now = self._clock.monotonic()
        if now - self._unknown_at > UNKNOWN_KEY_PAUSE:
            self._unknown_at = now
            self._ask()
        await self._wait()
        return await self.keys()

    async def aclose(self) -> None:
        """Stop asking."""
        if self._question is not None:
            self._question.cancel()
            await asyncio.gather(self._question, return_exceptions=True)

    def _ask(self) -> None:
        if self._question is None or self._question.done():
            self._asked_at = self._clock.monotonic()
            self._question = asyncio.create_task(self._renew())

    async def _wait(self) -> None:
        if self._question is not None and not self._question.done():
            # The question belongs to all who wait: one of them going ends nothing.
            await asyncio.shield(self._question)

    async def _renew(self) -> None:
        try:
            async with asyncio.timeout(self._settings.jwks_timeout):
                text = await self._download()
            keys = read_jwks(read_strict_object(text))
        except (TimeoutError, httpx.HTTPError, ValueError):
            return
        self._renewed_at = self._clock.monotonic()
        if keys != self._keys:
            self._keys = keys

    async def _download(self) -> bytes:
        url = self._settings.jwks_url or ""
        async with self._client.stream(
            "GET",
            url,
            headers={"accept": "application/json", "accept-encoding": "identity"},
            follow_redirects=False,
        ) as answer:
            if answer.status_code != httpx.codes.OK:
                raise ValueError(f"the JWKS URL answered {answer.status_code}")
            if answer.headers.get("content-encoding", "identity") != "identity":
                raise ValueError("the key set is compressed though nobody asked")
            text = b""
            async for chunk in answer.aiter_bytes():
                text += chunk
                if len(text) > _MAX_BYTES:
                    raise ValueError("the key set is too large")
            return text


def open_key_source(
    settings: IssuerSettings, client: httpx.AsyncClient | None, clock: Clock
) -> KeySource:
    """Return the source of an issuer's keys; files are read at once.

    Args:
        settings: The issuer.
        client: Fetches key sets; not needed for other sources.
        clock: Tells the time.

    Raises:
        ConfigurationError: The file cannot be read or holds no usable key.
    """
    if settings.jwks_url is not None and client is not None:
        return RemoteKeys(settings, client, clock)
    if settings.secret is not None:
        return FixedKeys(secret_key(settings.secret))
    if settings.key_file is None:
        return FixedKeys(KeySet(()))
    try:
        return FixedKeys(read_pem_keys(settings.key_file.read_bytes()))
    except (OSError, ValueError) as error:
        problem = Problem(
            f"the keys of {settings.issuer} cannot be read: {error}",
            str(settings.key_file),
        )
        raise ConfigurationError([problem]) from error
