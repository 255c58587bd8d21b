"""What an operator must mend in the settings of a service with several addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from graphgw.sources.balancing.settings import (
        BalanceSettings,
        HealthCheckSettings,
        SplitSettings,
    )
    from graphgw.sources.settings import ServiceSettings

__all__ = ["find_in_balance", "find_in_grpc_balance", "find_in_http_check"]

_LONGEST_NAME: Final = 127
"""What a health check can be sent."""
_UNUSED: Final = ("balance", "ejection", "health_check", "split")
"""Settings that say nothing of a gRPC service without ``urls``."""


def find_in_balance(
    urls: Sequence[tuple[str, str]],
    balance: BalanceSettings,
    check: HealthCheckSettings | None,
    split: SplitSettings | None,
) -> Iterator[tuple[str, str, str]]:
    """Yield a setting, what is wrong with it, and how to mend it.

    ``urls`` are pairs of a URL and its group.
    """
    places = [url.rstrip("/") for url, _ in urls]
    if len(set(places)) < len(places):
        yield "urls", "one of them is there twice", "give it a weight instead"
    try:
        paths = {urlsplit(place).path for place in places}
    except ValueError:
        return  # told of by whoever looks at each URL
    if len(paths) > 1:
        yield "urls", "they have different paths", "give all of them the same path"
    if balance.method == "consistent_hash" and balance.header is None:
        yield "balance.header", "there is none to hash", "name a header"
    if balance.method != "consistent_hash" and balance.header is not None:
        mend = "remove it, or balance by consistent_hash"
        yield "balance.header", "it is not used", mend
    has_several = bool(urls) or balance.each_record
    if check is not None and not has_several:
        yield "health_check", "there is one address only", "give several urls"
    if split is not None:
        yield from _find_in_split({group for _, group in urls}, split)


def find_in_http_check(
    check: HealthCheckSettings | None,
) -> Iterator[tuple[str, str, str]]:
    """Yield what is wrong with how an HTTP service is asked for its health."""
    if check is None:
        return
    if not (check.path.startswith("/") and check.path.isascii()):
        yield "health_check.path", "is no path", 'give one such as "/health"'
    if check.service:
        yield "health_check.service", "is for gRPC services", "remove it"


def find_in_grpc_balance(
    settings: ServiceSettings, plain: ServiceSettings
) -> Iterator[tuple[str, str, str]]:
    """Yield what is wrong with how the calls to a gRPC service are spread.

    ``plain`` are the settings of a service of which nothing is said.
    """
    if not settings.urls:
        mend = 'list the addresses as urls, such as "grpc://orders.internal:50051"'
        for key in _UNUSED:
            if getattr(settings, key) != getattr(plain, key):
                yield key, "is for services with urls", mend
        return
    for item in settings.urls:
        yield from _find_in_grpc_url(item.url, has_tls=settings.tls is not None)
    if settings.addresses:
        yield "addresses", "are there beside urls", "keep one of the two"
    if settings.grpc_client != "native":
        mend = "remove it: the native client spreads calls over urls"
        yield "grpc_client", "knows addresses only", mend
    check = settings.health_check
    if settings.has_health_check:
        yield "has_health_check", "is for addresses", "use health_check with urls"
    if check is not None and check.path:
        yield "health_check.path", "is for HTTP services", "give a service, or {}"
    if check is not None and not (
        check.service.isascii() and len(check.service) <= _LONGEST_NAME
    ):
        yield "health_check.service", "is no name", 'give one such as "shop.Orders"'


def _find_in_grpc_url(url: str, *, has_tls: bool) -> Iterator[tuple[str, str, str]]:
    mend = 'give a URL such as "grpc://orders.internal:50051"'
    try:
        parts = urlsplit(url)
        has_place = bool(parts.hostname and parts.port)
    except ValueError:
        yield "urls", f'"{url}" is no URL', mend
        return
    if not has_place or parts.netloc != url.partition("://")[2].rstrip("/"):
        yield "urls", f'"{url}" is not grpc://host:port', mend
    elif parts.scheme not in {"grpc", "grpcs"} or "@" in parts.netloc:
        yield "urls", f'"{url}" is no grpc or grpcs URL', mend
    elif parts.scheme == "grpcs" and not has_tls:
        yield "tls", f'"{url}" needs it', "give {}, or more"


def _find_in_split(
    groups: set[str], split: SplitSettings
) -> Iterator[tuple[str, str, str]]:
    listed = ", ".join(f'"{group}"' for group in sorted(groups)) or "none"
    mend = f"the groups of urls are: {listed}"
    if split.group not in groups:
        yield "split.group", f'no address is in "{split.group}"', mend
    elif len(groups) == 1:
        yield "split.group", "no address is in another group", mend
    for _, group in split.pins:
        if group not in groups:
            yield "split.pins", f'no address is in "{group}"', mend
    if split.pins and split.header is None:
        yield "split.header", "there is none to look at", "name a header"
