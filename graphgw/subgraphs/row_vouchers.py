"""The other keys of kept rows: tags that are known when a row has come, no sooner."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from graphgw.policies.cache_tags import key_tag
from graphgw.sources.http_answers import JSONText

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphgw.subgraphs.cache_rules import CacheRule

__all__ = ["Voucher", "digest_stamps", "row_tags", "split_voucher"]

_HEAD: Final = struct.Struct(">8s8sI")


class Voucher(NamedTuple):
    """What a row's other tags were invalidated by when it was kept.

    ``any_mark`` is of all invalidations, ``mark`` of those of the tags. While the
    first is the same, nobody need look at the second.
    """

    any_mark: bytes
    mark: bytes
    tags: tuple[str, ...]

    def pack(self) -> bytes:
        """Return its form in bytes."""
        tags = orjson.dumps(self.tags)
        return _HEAD.pack(self.any_mark, self.mark, len(tags)) + tags


def split_voucher(data: bytes) -> tuple[Voucher, bytes] | None:
    """Return a voucher and what follows it, ``None`` where there is none."""
    try:
        any_mark, mark, size = _HEAD.unpack_from(data)
        end = _HEAD.size + size
        tags = orjson.loads(data[_HEAD.size : end])
    except (struct.error, orjson.JSONDecodeError):
        return None
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        return None
    return Voucher(any_mark, mark, tuple(tags)), data[end:]


def row_tags(rule: CacheRule, row: Any) -> tuple[str, ...]:
    """Return the tags of a row by all keys of its type whose fields stand in it."""
    if not rule.row_keys or row is None or isinstance(row, Exception):
        return ()
    if isinstance(row, JSONText | str):
        try:
            # The text stays as it is: what it decodes to would be kept with it.
            row = orjson.loads(row if isinstance(row, str) else row.text)
        except orjson.JSONDecodeError:
            return ()
    found = (
        key_tag(rule.coordinate, {name: _read(row, path) for name, path in key})
        for key in rule.row_keys
    )
    return tuple(tag for tag in found if tag is not None)


def digest_stamps(stamps: Iterable[bytes]) -> bytes:
    """Return eight bytes that are others where a stamp is another one."""
    return hashlib.blake2b(b"\0".join(stamps), digest_size=8).digest()


def _read(row: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        row = row.get(name) if isinstance(row, Mapping) else getattr(row, name, None)
    return row
