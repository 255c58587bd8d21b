"""The one form of a path that is matched and sent on; what is ambiguous is refused."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from graphgw.errors import BadRequestError

__all__ = [
    "check_encoded_slash",
    "decode_text",
    "encode_text",
    "normalize_path",
    "split_path",
]

_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})?")
_PLAIN: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:@!$&'()*+,="
)
"""What a segment may hold as it is, but for ``;``, which some servers part it at."""
_REFUSED: Final = frozenset((*range(0x20), 0x7F, ord("\\")))


def normalize_path(raw: str) -> str:
    """Return a request's path in the one form that is matched and sent on.

    Needless escapes are undone, so that no other spelling of a path goes round a
    route. What servers read in different ways is refused: ``.`` and ``..`` segments,
    empty segments, backslashes and control characters, however they are written. What
    is left of encoded slashes is written ``%2F``.

    Raises:
        BadRequestError: The path is refused.
    """
    if "%" not in raw and "/." not in raw and "//" not in raw and "\\" not in raw:
        return raw
    text = _ESCAPE.sub(_unescape, raw)
    whole = text.replace("%2F", "/")
    if "\\" in whole or "//" in whole:
        raise BadRequestError("the path is ambiguous")
    if any(part in {".", ".."} for part in whole.split("/")):
        raise BadRequestError("the path has . or .. in it")
    return text


def check_encoded_slash(path: str, *, is_allowed: bool) -> None:
    """Refuse a normalized path for what servers take for a slash, or do not.

    Raises:
        BadRequestError: There is one, and it is not allowed.
    """
    if "%2F" in path and not is_allowed:
        raise BadRequestError("the path has an encoded slash in it")


def _unescape(found: re.Match[str]) -> str:
    if found[1] is None:
        raise BadRequestError("the path has a broken escape in it")
    code = int(found[1], 16)
    if code in _REFUSED:
        raise BadRequestError("the path has characters in it that it cannot have")
    return chr(code) if code in _PLAIN else f"%{code:02X}"


def split_path(path: str) -> tuple[str, ...]:
    """Return the segments of a normalized path, still encoded."""
    return tuple(path[1:].split("/"))


def decode_text(text: str) -> str:
    """Return the text of a percent-encoded segment.

    Raises:
        BadRequestError: It is not UTF-8.
    """
    if "%" not in text:
        return text
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError as error:
        raise BadRequestError("the path is not UTF-8") from error


def encode_text(text: str) -> str:
    """Return a text as one segment of a path, slashes encoded too."""
    return "".join(
        chr(code) if code in _PLAIN else f"%{code:02X}" for code in text.encode()
    )
