"""From a request's headers and peer to the principal who asks."""

from __future__ import annotations

import asyncio
import functools
import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import httpx

from graphgw.errors import ConfigurationError, UnauthenticatedError, UnauthorizedError
from graphgw.operations.cache import BoundedCache
from graphgw.policies.authenticate.addresses import (
    AddressList,
    client_address,
    is_address_allowed,
)
from graphgw.policies.authenticate.api_key_table import ApiKeyTable
from graphgw.policies.authenticate.api_keys import ApiKeyFile
from graphgw.policies.authenticate.key_source import open_key_source
from graphgw.policies.authenticate.tokens import (
    check_claims,
    check_signature,
    read_token,
)
from graphgw.policies.settings import find_auth_problems
from graphgw.telemetry.events import SelectionRefused
from graphgw.telemetry.observer import NO_OBSERVER, Observer
from graphgw.types import ANONYMOUS, SYSTEM_CLOCK, Clock, Principal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphgw.policies.authenticate.key_source import KeySource
    from graphgw.policies.authenticate.keys import KeySet
    from graphgw.policies.authenticate.tokens import Token
    from graphgw.policies.settings import AuthSettings, IssuerSettings
    from graphgw.types import JSON, Headers, JSONObject

__all__ = ["Authenticator"]

_MAX_CANDIDATES: Final = 10
_CACHED_BYTES: Final = 32 * 1024 * 1024
_ADDRESSES: Final = 4096


@dataclass(frozen=True, slots=True)
class _Verified:
    """A token that was verified; it counts while ``keys`` are its issuer's keys."""

    principal: Principal
    expires: float
    source: KeySource = field(repr=False)
    keys: KeySet = field(repr=False)


@functools.lru_cache(maxsize=_ADDRESSES)
def _anonymous_at(ip: str | None) -> Principal:
    return Principal(ip=ip)


class Authenticator:
    """Proves who is asking.

    No credentials make an anonymous principal, wrong ones are an error: a caller who
    means to be known must not be served as somebody else. Verified tokens are
    remembered by hash until they expire or their issuer's keys change.

    Args:
        auth: Issuers, API keys and networks.
        client: Fetches key sets; by default one of its own.
        clock: Tells the time.
        observer: Is told of what a shadow rule would have refused.

    Raises:
        ConfigurationError: The settings are wrong or a file cannot be read.
    """

    def __init__(
        self,
        auth: AuthSettings,
        *,
        client: httpx.AsyncClient | None = None,
        clock: Clock = SYSTEM_CLOCK,
        observer: Observer = NO_OBSERVER,
    ) -> None:
        problems = find_auth_problems(auth)
        if problems:
            raise ConfigurationError(problems)
        self._auth = auth
        self._clock = clock
        self._observer = observer
        needs_client = any(issuer.jwks_url for issuer in auth.issuers)
        self._owned = httpx.AsyncClient() if needs_client and client is None else None
        http = client or self._owned
        self._issuers: dict[str, tuple[IssuerSettings, KeySource]] = {
            issuer.issuer: (issuer, open_key_source(issuer, http, clock))
            for issuer in auth.issuers
        }
        self._api_keys = ApiKeyFile(auth.api_keys, clock)
        self._key_table = (
            ApiKeyTable(auth.api_keys, clock) if auth.api_keys.redis_url else None
        )
        self._verified: BoundedCache[bytes, _Verified] = BoundedCache(
            max_entries=auth.cached_tokens, max_bytes=_CACHED_BYTES
        )
        addresses = auth.addresses
        self._proxies = AddressList(addresses.trusted_proxies)
        self._allow = AddressList(addresses.allow)
        self._deny = AddressList(addresses.deny)
        self._checks_addresses = addresses.switch != "off" and bool(
            self._allow or self._deny
        )
        self._takes_peers = not (self._checks_addresses or self._proxies)
        """Whether whoever is at the other end is the client, and may call."""
        self._header = auth.api_keys.header.lower()
        self._has_api_keys = self._api_keys.is_configured or self._key_table is not None

    async def start(self) -> None:
        """Fetch every key set once; one that fails is asked for again later."""
        sources = [source for _, source in self._issuers.values()]
        fetched = await asyncio.gather(
            *(source.keys() for source in sources), return_exceptions=True
        )
        for failure in fetched:
            if isinstance(failure, BaseException) and not isinstance(
                failure, UnauthenticatedError
            ):
                raise failure

    @property
    def is_ready(self) -> bool:
        """Tell whether the tokens of every issuer can be verified."""
        return all(source.at_hand() for _, source in self._issuers.values())

    def recognize(self, headers: Headers, peer: str | None) -> Principal | None:
        """Return who is asking without proving anything, if they may.

        Args:
            headers: Lower-case header names and values.
            peer: The address at the other end of the connection.

        Returns:
            An anonymous principal; ``None`` where ``authenticate`` must be asked.
        """
        if not self._takes_peers:
            return None
        if self._issuers and "authorization" in headers:
            return None
        if self._has_api_keys and self._header in headers:
            return None
        return _anonymous_at(peer)

    async def authenticate(self, headers: Headers, peer: str | None) -> Principal:
        """Return who is asking.

        Args:
            headers: Lower-case header names and values.
            peer: The address at the other end of the connection.

        Raises:
            UnauthenticatedError: The credentials are wrong.
            UnauthorizedError: The address may not call.
        """
        ip = peer
        if self._proxies:
            ip = client_address(peer, headers.get("x-forwarded-for"), self._proxies)
        if self._checks_addresses:
            self._check_address(ip)
        authorization = headers.get("authorization") if self._issuers else None
        api_key = headers.get(self._header) if self._has_api_keys else None
        if authorization is None and api_key is None:
            return _anonymous_at(ip)
        try:
            principal = ANONYMOUS
            if authorization is not None:
                principal = await self._from_token(authorization)
            if api_key is not None:
                principal = await self._with_api_key(principal, api_key)
        except UnauthenticatedError:
            if self._auth.switch == "enforce":
                raise
            if self._auth.switch == "shadow":
                self._report("authorization", UnauthenticatedError.code)
            return Principal(ip=ip)
        return principal if principal.ip == ip else _at(principal, ip)

    async def aclose(self) -> None:
        """Let go of connections."""
        for _, source in self._issuers.values():
            await source.aclose()
        if self._key_table is not None:
            await self._key_table.aclose()
        if self._owned is not None:
            await self._owned.aclose()

    def _check_address(self, ip: str | None) -> None:
        if is_address_allowed(ip, self._allow, self._deny):
            return
        if self._auth.addresses.switch == "enforce":
            raise UnauthorizedError("this address may not call")
        self._report("address", UnauthorizedError.code)

    def _report(self, coordinate: str, code: str) -> None:
        self._observer.observe(SelectionRefused(coordinate, code, is_shadow=True))

    async def _from_token(self, authorization: str) -> Principal:
        scheme, _, text = authorization.partition(" ")
        text = text.strip()
        if scheme.lower() != "bearer" or not text:
            raise UnauthenticatedError("the authorization header holds no bearer token")
        digest = hashlib.sha256(text.encode(errors="backslashreplace")).digest()
        known = self._verified.get(digest)
        if known is not None:
            is_fresh = self._clock.time() < known.expires + self._auth.leeway
            if is_fresh and known.source.at_hand() is known.keys:
                return known.principal
            self._verified.discard(digest)
        verified = await self._verify(read_token(text))
        self._verified.put(digest, verified, 3 * len(text) + 500)
        return verified.principal

    async def _verify(self, token: Token) -> _Verified:
        issuer, source = self._issuers.get(token.issuer or "", (None, None))
        if issuer is None or source is None:
            raise UnauthenticatedError("the token's issuer is not accepted")
        if token.algorithm not in issuer.algorithms:
            raise UnauthenticatedError("the token's algorithm is not accepted")
        keys = await source.keys()
        candidates = keys.find(token.kid, token.algorithm)
        if not candidates:
            keys = await source.keys_after_unknown()
            candidates = keys.find(token.kid, token.algorithm)
        check_signature(token, candidates[:_MAX_CANDIDATES], issuer.algorithms)
        expires = check_claims(
            token.claims, issuer, now=self._clock.time(), leeway=self._auth.leeway
        )
        return _Verified(self._principal(token.claims), expires, source, keys)

    def _principal(self, claims: JSONObject) -> Principal:
        subject = claims.get(self._auth.subject_claim)
        if not isinstance(subject, str) or not subject:
            raise UnauthenticatedError("the token names no subject")
        return Principal(subject, _scopes(claims, self._auth.scope_claims), claims)

    async def _with_api_key(self, principal: Principal, text: str) -> Principal:
        key = self._api_keys.find(text) if self._api_keys.is_configured else None
        if key is None and self._key_table is not None:
            key = await self._key_table.find(text)
        if key is None:
            raise UnauthenticatedError("the API key is not valid")
        scopes = key.scopes if principal.subject is None else principal.scopes
        return replace(
            principal,
            api_key=key.name,
            scopes=scopes,
            variant=key.variant,
            quota=key.quota,
        )


def _at(principal: Principal, ip: str | None) -> Principal:
    """Return the principal who calls from an address; every request's is one."""
    return Principal(
        principal.subject,
        principal.scopes,
        principal.claims,
        principal.api_key,
        ip,
        principal.variant,
        principal.quota,
    )


def _scopes(claims: JSONObject, names: Iterable[str]) -> frozenset[str]:
    found: set[str] = set()
    for name in names:
        value: JSON = claims.get(name)
        if isinstance(value, str):
            found.update(value.split())
        elif isinstance(value, list):
            found.update(item for item in value if isinstance(item, str))
    return frozenset(found)
