"""API keys: made at random, stored as keyed hashes, in a file or in Redis."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson

from graphgw.errors import ConfigurationError, Problem
from graphgw.policies.authenticate.strict_json import read_strict_object
from graphgw.policies.rate_rules import parse_duration, print_duration
from graphgw.types import Quota

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from graphgw.policies.settings import ApiKeySettings
    from graphgw.types import Clock, JSONObject

__all__ = [
    "ApiKey",
    "ApiKeyFile",
    "create_api_key",
    "decode_api_key",
    "encode_api_key",
    "hash_api_key",
    "parse_quota",
    "print_quota",
    "read_api_keys",
    "write_api_keys",
]

_PREFIX: Final = "ggw_"
_CHECK_SECONDS: Final = 1.0
_MAX_BYTES: Final = 512
_MAX_QUOTA: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One API key, without the key itself; ``expires`` is a Unix time."""

    name: str
    hash: str = field(repr=False)
    scopes: frozenset[str] = frozenset()
    variant: str | None = None
    expires: float | None = None
    is_active: bool = True
    quota: Quota | None = None
    """How often the key may be used; ``None`` for as often as others may call."""

    def is_valid(self, now: float) -> bool:
        """Tell whether the key may be used."""
        return self.is_active and (self.expires is None or now < self.expires)


def create_api_key() -> str:
    """Return a new random key; only its hash is to be kept."""
    return _PREFIX + secrets.token_urlsafe(32)


def hash_api_key(key: str, secret: str) -> str:
    """Return the keyed hash under which a key is kept."""
    text = key.encode(errors="backslashreplace")
    return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()


def parse_quota(text: str) -> Quota:
    """Return the quota that a text such as ``1000/1h`` means.

    Raises:
        ValueError: It means none.
    """
    limit, _, window = text.partition("/")
    if not limit.isascii() or not limit.isdigit() or not 0 < int(limit) <= _MAX_QUOTA:
        raise ValueError(f'"{text}" is not a quota such as 1000/1h')
    return Quota(int(limit), parse_duration(window))


def print_quota(quota: Quota) -> str:
    """Return a text that ``parse_quota`` reads."""
    return f"{quota.limit}/{print_duration(quota.window)}"


def write_api_keys(path: Path, keys: Iterable[ApiKey]) -> None:
    """Write the file of API keys; readers see the old one or the new one."""
    entries = [_entry(key) for key in keys]
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(orjson.dumps({"keys": entries}, option=orjson.OPT_INDENT_2))
    partial.chmod(0o600)
    partial.replace(path)


def read_api_keys(path: Path) -> list[ApiKey]:
    """Return the keys of a file; one that is not there has none.

    Raises:
        ValueError: It is not a file of keys.
        OSError: It cannot be read.
    """
    try:
        return _keys(read_strict_object(path.read_bytes()))
    except FileNotFoundError:
        return []


def encode_api_key(key: ApiKey) -> bytes:
    """Return a key as it is kept, one by one."""
    return orjson.dumps(_entry(key))


def decode_api_key(data: bytes) -> ApiKey:
    """Return the key that was encoded.

    Raises:
        ValueError: The bytes are no key.
    """
    return _key(read_strict_object(data))


class ApiKeyFile:
    """The keys of a file; looked at again when the file has changed.

    A file that is not there has no keys yet; one that breaks later leaves the last
    good keys in force.
    """

    def __init__(self, settings: ApiKeySettings, clock: Clock) -> None:
        self._secret = settings.secret
        self._path = settings.file
        self._clock = clock
        self._keys: dict[str, ApiKey] = {}
        self._version: tuple[int, int, int] | None = None
        self._checked_at = clock.monotonic()
        if self._path is not None:
            try:
                if self._path.exists():
                    self._read(self._path)
            except (OSError, ValueError) as error:
                problem = Problem(
                    f"the API keys cannot be read: {error}", str(self._path)
                )
                raise ConfigurationError([problem]) from error

    @property
    def is_configured(self) -> bool:
        """Tell whether there is a file at all."""
        return self._path is not None

    def all(self) -> tuple[ApiKey, ...]:
        """Return every key, by name."""
        self._refresh()
        return tuple(sorted(self._keys.values(), key=lambda key: key.name))

    def find(self, key: str) -> ApiKey | None:
        """Return the key with this text if it is valid now."""
        self._refresh()
        if len(key) > _MAX_BYTES:
            return None
        digest = hash_api_key(key, self._secret)
        found = self._keys.get(digest)
        if found is None or not hmac.compare_digest(found.hash, digest):
            return None
        return found if found.is_valid(self._clock.time()) else None

    def _refresh(self) -> None:
        now = self._clock.monotonic()
        if self._path is None or now - self._checked_at < _CHECK_SECONDS:
            return
        self._checked_at = now
        try:
            if _version(self._path) != self._version:
                self._read(self._path)
        except (OSError, ValueError):
            return

    def _read(self, path: Path) -> None:
        version = _version(path)
        keys = _keys(read_strict_object(path.read_bytes()))
        self._keys = {key.hash: key for key in keys}
        self._version = version


def _version(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino


def _keys(document: JSONObject) -> list[ApiKey]:
    entries = document.get("keys")
    if not isinstance(entries, list):
        raise ValueError('it has no list "keys"')  # noqa: TRY004 - one kind for callers
    keys = [_key(entry) for entry in entries]
    if len({key.name for key in keys}) != len(keys):
        raise ValueError("a name is given twice")
    return keys


def _key(entry: Any) -> ApiKey:
    if not isinstance(entry, dict):
        raise ValueError("a key is not an object")  # noqa: TRY004 - one kind
    name, digest = entry.get("name"), entry.get("hash")
    scopes, active = entry.get("scopes", []), entry.get("active", True)
    variant = entry.get("variant")
    if not isinstance(name, str) or not isinstance(digest, str):
        raise ValueError("a key needs a name and a hash")  # noqa: TRY004 - one kind
    if not isinstance(scopes, list) or not all(isinstance(s, str) for s in scopes):
        raise ValueError(f'the scopes of key "{name}" are not a list of texts')
    if not isinstance(active, bool):
        raise ValueError(f'key "{name}" is neither active nor not')  # noqa: TRY004
    return ApiKey(
        name,
        digest,
        frozenset(scopes),
        variant if isinstance(variant, str) else None,
        _expiry(name, entry.get("expires")),
        active,
        _quota(name, entry.get("quota")),
    )


def _quota(name: str, value: Any) -> Quota | None:
    if value is None:
        return None
    try:
        return parse_quota(f"{value['limit']:d}/{value['window']}")
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f'the quota of key "{name}" has no limit and window'
        ) from error


def _expiry(name: str, value: Any) -> float | None:
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f'the expiry of key "{name}" is not a time') from error
    if at.tzinfo is None:
        raise ValueError(f'the expiry of key "{name}" has no time zone')
    return at.timestamp()


def _entry(key: ApiKey) -> JSONObject:
    entry: JSONObject = {
        "name": key.name,
        "hash": key.hash,
        "scopes": sorted(key.scopes),
        "active": key.is_active,
    }
    if key.variant is not None:
        entry["variant"] = key.variant
    if key.quota is not None:
        window = print_duration(key.quota.window)
        entry["quota"] = {"limit": key.quota.limit, "window": window}
    if key.expires is not None:
        entry["expires"] = datetime.fromtimestamp(key.expires, UTC).isoformat()
    return entry
