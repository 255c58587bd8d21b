"""The names of kept rows: all that can change a row is in its name."""

from __future__ import annotations

import hashlib
from types import CodeType
from typing import TYPE_CHECKING, Any, Final

import orjson

from graphgw.policies.cache_tags import key_tag, render_tag
from graphgw.subgraphs.loaders import FORWARDED
from graphgw.subgraphs.remote.headers import tells_identity

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from graphgw.context import RequestContext
    from graphgw.subgraphs.cache_rules import CacheRule
    from graphgw.subgraphs.loaders import Loader
    from graphgw.types import JSONObject, Principal

__all__ = ["RowNames", "full_name", "is_for_caller", "tags_of", "version_of"]

_PLAIN_KEY: Final = 64
_TEXT: Final = {str}
_MAX_PREFIXES: Final = 4000


class RowNames:
    """Makes names of rows; what is the same for all rows of a loader is made once."""

    __slots__ = ("_prefixes",)

    def __init__(self) -> None:
        self._prefixes: dict[tuple[CacheRule, str, object], str] = {}

    def of(
        self,
        rule: CacheRule,
        keys: list[Any],
        *,
        context: RequestContext,
        loader: Loader[..., Any],
        arguments: JSONObject,
    ) -> tuple[str, Sequence[Hashable]] | None:
        """Return the group of the keys and their names in it.

        ``None`` where nothing may be kept. In the group's name are the loader's code,
        the arguments, headers that the rule names or services are sent, and for
        private rows the caller.
        """
        caller: list[str | None] | None = None
        if is_for_caller(rule, loader, arguments):
            caller = _caller(context.principal)
            if caller is None:
                return None
        prefix = self._prefixes.get((rule, loader.name, loader.function))
        if prefix is None:
            prefix = self._remember(rule, loader)
        try:
            if caller is not None or arguments or rule.vary:
                prefix += _digest(
                    [
                        caller,
                        [[name, context.headers.get(name)] for name in rule.vary],
                        arguments,
                    ]
                )
            if set(map(type, keys)) == _TEXT:
                return prefix, keys
            names = [key if type(key) is str else ("", _digest(key)) for key in keys]
        except TypeError:
            return None
        return prefix, names

    def _remember(self, rule: CacheRule, loader: Loader[..., Any]) -> str:
        function = loader.function
        parts = (
            rule.coordinate,
            loader.name,
            getattr(function, "__module__", ""),
            getattr(function, "__qualname__", ""),
            version_of(function),
            *rule.row_keys,
        )
        if len(self._prefixes) >= _MAX_PREFIXES:
            self._prefixes.clear()
        prefix = self._prefixes[rule, loader.name, function] = f"row:{_digest(parts)}"
        return prefix


def is_for_caller(
    rule: CacheRule, loader: Loader[..., Any], arguments: JSONObject
) -> bool:
    """Tell whether rows are kept for each caller alone."""
    if rule.is_private is not None:
        return rule.is_private
    forwarded = arguments.get(FORWARDED, ())
    return not loader.is_shared or any(map(tells_identity, forwarded))


def full_name(group: str, name: Any) -> str:
    """Return the name of a row among those of all groups; plain and not too long."""
    if type(name) is not str:
        return f"{group}:h{name[1]}"
    if len(name) <= _PLAIN_KEY and name.isascii():
        return f"{group}:s{name}"
    return f"{group}:h{_digest(name)}"


def tags_of(rule: CacheRule, key: Any, arguments: JSONObject) -> tuple[str, ...] | None:
    """Return the tags of a row: its rule's coordinate, its keys and those declared.

    ``None`` where one has no value: such a row could not be dropped.
    """
    tags = [rule.coordinate]
    parts = key if isinstance(key, tuple) else (key,)
    named: Mapping[str, Any] = dict(zip(rule.key_names, parts, strict=False))
    for names in rule.key_sets or (rule.key_names,):
        own = key_tag(rule.coordinate, {name: named.get(name) for name in names})
        if own is not None:
            tags.append(own)
    for text in rule.tags:
        tag = render_tag(text, key=named, arguments=arguments)
        if tag is None:
            return None
        tags.append(tag)
    return tuple(tags)


def version_of(function: object) -> str:
    """Return a text that is another one when a function is written otherwise.

    Of the values in its code those count, too, such as the path that it asks for, and
    the type that it says it returns; not what it calls.
    """
    found = hashlib.blake2b(digest_size=16)
    code = getattr(function, "__code__", None)
    if code is not None:
        _add_code(found, code)
    returns = getattr(function, "__annotations__", {}).get("return")
    found.update(str(returns).encode())
    return found.hexdigest()


def _add_code(found: hashlib.blake2b, code: CodeType) -> None:
    found.update(code.co_code)
    found.update(repr((code.co_names, code.co_varnames)).encode())
    for value in code.co_consts:
        if isinstance(value, CodeType):
            _add_code(found, value)
        elif isinstance(value, frozenset):
            # Each process has an order of its own.
            found.update(repr(sorted(map(repr, value))).encode())
        else:
            found.update(repr(value).encode())


def _caller(principal: Principal) -> list[str | None] | None:
    if not principal.is_authenticated:
        return None
    issuer = principal.claims.get("iss")
    named = issuer if isinstance(issuer, str) else None
    return [named, principal.subject, principal.api_key]


def _digest(value: Any) -> str:
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(text, digest_size=16).hexdigest()
