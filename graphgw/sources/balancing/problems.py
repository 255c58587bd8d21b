"""What an operator must mend in the settings of a service with several addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from graphgw.sources.balancing.settings import (
        BalanceSettings,
        HealthCheckSettings,
        SplitSettings,
    )

__all__ = ["find_in_balance"]


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
    if check is not None and not (check.path.startswith("/") and check.path.isascii()):
        yield "health_check.path", "is no path", 'give one such as "/health"'
    has_several = bool(urls) or balance.each_record
    if check is not None and not has_several:
        yield "health_check", "there is one address only", "give several urls"
    if split is not None:
        yield from _find_in_split({group for _, group in urls}, split)


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
