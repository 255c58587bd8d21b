"""What a gateway holds open for its settings; it outlives snapshots."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from graphgw.answers.answer_cache import AnswerCache
from graphgw.answers.shared_answers import SharedAnswerCache
from graphgw.errors import ConfigurationError, Problem
from graphgw.policies.authenticate.authenticator import Authenticator
from graphgw.sources.connections import Connections
from graphgw.stores.memory import MemoryStore
from graphgw.subgraphs.call_loader import LoaderSharing
from graphgw.subgraphs.entity_cache import EntityCache

if TYPE_CHECKING:
    from graphgw.config.settings import Settings
    from graphgw.sources.settings import ServiceSettings
    from graphgw.stores.redis import RedisStore
    from graphgw.stores.relay import Relay
    from graphgw.telemetry.observer import Observer

__all__ = ["Resources", "open_resources"]


class _Closable(Protocol):
    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Resources:
    """Connections, store, rows kept and issuers' keys, for one configuration.

    Those for the next configuration keep what it leaves as it was: breakers, rate
    limits and caches go on through it.
    """

    settings: Settings
    services: tuple[ServiceSettings, ...]
    authenticator: Authenticator
    connections: Connections
    sharing: LoaderSharing
    store: MemoryStore | RedisStore
    cache: EntityCache | None
    answers: AnswerCache | None
    """Whole answers; of several processes where the store is theirs."""

    async def aclose(self, kept: Resources | None = None) -> None:
        """Close all that ``kept`` does not hold too."""
        held = () if kept is None else kept.parts()
        for part in self.parts():
            if all(part is not other for other in held):
                await part.aclose()

    def parts(self) -> tuple[_Closable, ...]:
        """Return what is to be closed one day."""
        parts: list[_Closable] = [self.authenticator, self.connections]
        if self.cache is not None:
            parts.append(self.cache)
        if isinstance(self.answers, SharedAnswerCache):
            parts.append(self.answers)
        if not isinstance(self.store, MemoryStore):
            parts.append(self.store)
        return tuple(parts)


async def open_resources(
    settings: Settings,
    services: tuple[ServiceSettings, ...],
    observer: Observer,
    before: Resources | None = None,
    relay: Relay | None = None,
) -> Resources:
    """Open what is not there before.

    Args:
        settings: The configuration.
        services: The backends, those of the configuration and others.
        observer: Is told of what happens.
        before: What is open already. Nothing in it is closed.
        relay: Tells what is invalidated to the other processes that serve this.

    Raises:
        ConfigurationError: Something cannot be opened; what was opened is closed.
    """
    async with AsyncExitStack() as opened:
        if before is not None and _has_same_keys(settings, before.settings):
            authenticator = before.authenticator
        else:
            authenticator = Authenticator(settings.auth, observer=observer)
            opened.push_async_callback(authenticator.aclose)
            await authenticator.start()
            _check_keys(authenticator, before)
        if before is not None and services == before.services:
            connections, sharing = before.connections, before.sharing
        else:
            known = (
                Connections(observer=observer) if before is None else before.connections
            )
            connections = known.replace(services)
            opened.push_async_callback(connections.aclose)
            sharing = LoaderSharing(connections.forward_headers)
        store = _choose_store(settings, before, relay)
        cache = _choose_cache(settings, store, before)
        opened.pop_all()
    return Resources(
        settings,
        services,
        authenticator,
        connections,
        sharing,
        store,
        cache,
        _open_answers(settings, store, before),
    )


def _has_same_keys(settings: Settings, before: Settings) -> bool:
    """Tell whether tokens are checked as before; files of keys may have changed."""
    has_files = any(issuer.key_file for issuer in settings.auth.issuers)
    return settings.auth == before.auth and not has_files


def _check_keys(authenticator: Authenticator, before: Resources | None) -> None:
    """Refuse an authenticator that would make a ready gateway refuse tokens.

    Raises:
        ConfigurationError: The keys of some issuer cannot be had.
    """
    was_ready = before is not None and before.authenticator.is_ready
    if was_ready and not authenticator.is_ready:
        problem = Problem(
            "the keys of some issuer cannot be had now",
            where="auth.issuers",
            mend="see that each jwks_url answers",
        )
        raise ConfigurationError([problem])


def _choose_store(
    settings: Settings, before: Resources | None, relay: Relay | None
) -> MemoryStore | RedisStore:
    """Return where limits are counted and rows are kept."""
    url, size = settings.redis_url, settings.policies.cache.max_bytes
    if before is not None:
        old = before.settings
        known = (old.redis_url, old.redis_timeout, old.policies.cache.max_bytes)
        if known == (url, settings.redis_timeout, size):
            return before.store
    if url is None:
        return MemoryStore(max_bytes=size, relay=relay)
    mend = None
    try:
        module = import_module("graphgw.stores.redis")
        store: RedisStore = module.RedisStore(url, timeout=settings.redis_timeout)
    except ModuleNotFoundError:
        message, mend = "Redis needs a package", "install graphgw[redis]"
    except ValueError as error:
        message = f"is no URL of a Redis: {error}"
    else:
        return store
    raise ConfigurationError([Problem(message, where="redis_url", mend=mend)])


def _open_answers(
    settings: Settings, store: MemoryStore | RedisStore, before: Resources | None
) -> AnswerCache | None:
    """Return what keeps answers where rows are kept."""
    cache = settings.policies.cache
    if not (cache.is_enabled and cache.answers):
        return None
    if isinstance(store, MemoryStore):
        return AnswerCache(store.objects)
    largest = cache.max_answer_bytes
    if before is not None and isinstance(before.answers, SharedAnswerCache):
        known = (before.answers.store, before.answers.max_answer_bytes)
        if known == (store, largest):
            return before.answers
    return SharedAnswerCache(store, max_answer_bytes=largest)


def _choose_cache(
    settings: Settings, store: MemoryStore | RedisStore, before: Resources | None
) -> EntityCache | None:
    if not settings.policies.cache.is_enabled:
        return None
    if before is not None and before.cache is not None and store is before.store:
        return before.cache
    return EntityCache(store)
