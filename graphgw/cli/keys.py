"""``graphgw keys``: API keys, in the file or the Redis that the configuration names."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer

from graphgw.config.load import load_settings
from graphgw.config.units import read_duration
from graphgw.errors import ConfigurationError, Problem
from graphgw.policies.authenticate.api_key_table import ApiKeyTable
from graphgw.policies.authenticate.api_keys import (
    ApiKey,
    create_api_key,
    hash_api_key,
    parse_quota,
    print_quota,
    read_api_keys,
    write_api_keys,
)
from graphgw.stores.protocol import StoreError
from graphgw.types import SYSTEM_CLOCK

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from graphgw.config.settings import Settings
    from graphgw.policies.settings import ApiKeySettings
    from graphgw.types import Quota

__all__ = ["COMMANDS", "create", "revoke", "show"]

T = TypeVar("T")
_Config = Annotated[Path, typer.Option(help="The configuration file.")]
_CONFIG: Final = Path("graphgw.yaml")
_NO_VARIANT: Final = (
    'there is no variant "{}" in {}; until there is,'
    " the key is refused wherever the graph is asked"
)


def create(
    name: Annotated[str, typer.Argument(help="Whose key it is.")],
    scopes: Annotated[str, typer.Option(help="Scopes, parted by spaces.")] = "",
    expires: Annotated[
        str | None, typer.Option(help="Such as 90d; without it, never.")
    ] = None,
    variant: Annotated[
        str | None, typer.Option(help="The variant of the graph that it is for.")
    ] = None,
    quota: Annotated[
        str | None, typer.Option(help="Such as 1000/1h; without it, none of its own.")
    ] = None,
    config: _Config = _CONFIG,
) -> None:
    """Make a key and print it; only its hash is kept."""
    whole = load_settings(config)
    settings = _places(whole, config)
    text = create_api_key()
    key = ApiKey(
        name,
        hash_api_key(text, settings.secret),
        frozenset(scopes.split()),
        variant,
        None if expires is None else time.time() + _seconds(expires),
        quota=None if quota is None else _quota(quota),
    )
    if any(known.name == name for known in _read(settings)):
        mend = "choose another name"
        raise ConfigurationError([Problem("there is such a key", name, mend)])
    _write(settings, [key])
    if variant is not None and all(v.name != variant for v in whole.variants):
        typer.echo(f"hint: {_NO_VARIANT.format(variant, config)}", err=True)
    typer.echo(text)


def show(config: _Config = _CONFIG) -> None:
    """List the keys by name; the keys themselves are not known."""
    rows = [("name", "scopes", "variant", "quota", "expires", "active")]
    rows += (
        (
            key.name,
            " ".join(sorted(key.scopes)) or "-",
            key.variant or "-",
            "-" if key.quota is None else print_quota(key.quota),
            "never"
            if key.expires is None
            else datetime.fromtimestamp(key.expires, UTC).isoformat(timespec="minutes"),
            "yes" if key.is_valid(time.time()) else "no",
        )
        for key in _read(_settings(config))
    )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (c.ljust(w) for c, w in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


def revoke(
    name: Annotated[str, typer.Argument(help="Whose key it is.")],
    config: _Config = _CONFIG,
) -> None:
    """Refuse a key from now on; it stays in the list."""
    settings = _settings(config)
    known = [key for key in _read(settings) if key.name == name]
    if not known:
        mend = "see graphgw keys list"
        raise ConfigurationError([Problem("there is no such key", name, mend)])
    _write(settings, [replace(key, is_active=False) for key in known])
    typer.echo(f"{name} is revoked")


COMMANDS: Final[dict[str, Callable[..., None]]] = {
    "create": create,
    "list": show,
    "revoke": revoke,
}


def _settings(config: Path) -> ApiKeySettings:
    return _places(load_settings(config), config)


def _places(whole: Settings, config: Path) -> ApiKeySettings:
    """Return where API keys are kept.

    Raises:
        ConfigurationError: There is no such place.
    """
    settings = whole.auth.api_keys
    if settings.file is None and settings.redis_url is None:
        raise ConfigurationError(
            [
                Problem(
                    "there is no place for API keys",
                    str(config),
                    "name one: auth.api_keys.file or auth.api_keys.redis_url",
                )
            ]
        )
    return settings


def _seconds(text: str) -> float:
    try:
        return read_duration(text)
    except ValueError as error:
        raise typer.BadParameter(f"--expires {error}") from error


def _quota(text: str) -> Quota:
    try:
        return parse_quota(text)
    except ValueError as error:
        raise typer.BadParameter(f"--quota {error}") from error


def _read(settings: ApiKeySettings) -> Sequence[ApiKey]:
    found: list[ApiKey] = []
    if settings.file is not None:
        try:
            found += read_api_keys(settings.file)
        except (OSError, ValueError) as error:
            problem = Problem(
                f"the API keys cannot be read: {error}", str(settings.file)
            )
            raise ConfigurationError([problem]) from error
    if settings.redis_url is not None:
        found += _with_table(settings, ApiKeyTable.all)
    return sorted({key.hash: key for key in found}.values(), key=lambda key: key.name)


def _write(settings: ApiKeySettings, changed: Sequence[ApiKey]) -> None:
    """Keep keys in every place that the configuration names."""
    path = settings.file
    if path is not None:
        hashes = {key.hash for key in changed}
        rest = [key for key in read_api_keys(path) if key.hash not in hashes]
        path.parent.mkdir(parents=True, exist_ok=True)
        write_api_keys(path, [*rest, *changed])
    if settings.redis_url is None:
        return

    async def keep(table: ApiKeyTable) -> None:
        for key in changed:
            await table.keep(key)

    _with_table(settings, keep)


def _with_table(
    settings: ApiKeySettings, use: Callable[[ApiKeyTable], Awaitable[T]]
) -> T:
    async def run() -> T:
        table = ApiKeyTable(settings, SYSTEM_CLOCK)
        try:
            return await use(table)
        finally:
            await table.aclose()

    try:
        return asyncio.run(run())
    except (StoreError, ValueError) as error:
        problem = Problem(str(error), "auth.api_keys.redis_url")
        raise ConfigurationError([problem]) from error
