"""JSON Web Tokens: from text to verified claims.

See https://www.rfc-editor.org/rfc/rfc8725 for what is refused, and why.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from jwt import PyJWS
from jwt.exceptions import PyJWTError

from graphgw.errors import UnauthenticatedError
from graphgw.policies.authenticate.strict_json import read_strict_object

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphgw.policies.authenticate.keys import VerificationKey
    from graphgw.policies.settings import IssuerSettings
    from graphgw.types import JSON, JSONObject

__all__ = ["Token", "check_claims", "check_signature", "read_token"]

_MAX_BYTES: Final = 16 * 1024
_SHAPE: Final = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_MAX_KID: Final = 512
_SIGNATURES: Final = PyJWS()


@dataclass(frozen=True, slots=True)
class Token:
    """A token that was taken apart and not yet believed."""

    text: str = field(repr=False)
    algorithm: str
    kid: str | None = field(repr=False)
    claims: JSONObject = field(repr=False)

    @property
    def issuer(self) -> str | None:
        """Who the token says has made it."""
        issuer = self.claims.get("iss")
        return issuer if isinstance(issuer, str) else None


def read_token(text: str) -> Token:
    """Take a token apart; nothing of it is believed yet.

    Keys that a header names or brings (``jku``, ``x5u``, ``jwk``, ``x5c``) are never
    used, and extensions that must be understood (``crit``) are not.

    Raises:
        UnauthenticatedError: It is no token, or wants what we do not do.
    """
    if len(text) > _MAX_BYTES or not _SHAPE.fullmatch(text):
        raise UnauthenticatedError("the token is malformed")
    header_text, claims_text, _ = text.split(".")
    header, claims = _decode(header_text), _decode(claims_text)
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str):
        raise UnauthenticatedError("the token names no algorithm")
    if "crit" in header or "b64" in header:
        raise UnauthenticatedError("the token needs an extension that is not known")
    if kid is not None and (not isinstance(kid, str) or len(kid) > _MAX_KID):
        raise UnauthenticatedError("the token's key id is malformed")
    return Token(text, algorithm, kid, claims)


def check_signature(
    token: Token, keys: Iterable[VerificationKey], algorithms: Iterable[str]
) -> None:
    """Make sure that one of the keys has signed the token.

    Raises:
        UnauthenticatedError: None of them has.
    """
    if token.algorithm not in algorithms:
        raise UnauthenticatedError("the token's algorithm is not accepted")
    for key in keys:
        if token.algorithm not in key.algorithms:
            continue
        try:
            _SIGNATURES.decode_complete(
                token.text, key.key, algorithms=[token.algorithm]
            )
        except PyJWTError:
            continue
        return
    raise UnauthenticatedError("the token's signature does not fit")


def check_claims(
    claims: JSONObject, issuer: IssuerSettings, *, now: float, leeway: float
) -> float:
    """Check issuer, audience and times; return when the token expires.

    Raises:
        UnauthenticatedError: A claim is missing or does not hold.
    """
    expires = _time(claims, "exp")
    if expires is None:
        raise UnauthenticatedError("the token has no expiry")
    if now >= expires + leeway:
        raise UnauthenticatedError("the token has expired")
    for name in ("nbf", "iat"):
        begins = _time(claims, name)
        if begins is not None and begins > now + leeway:
            raise UnauthenticatedError("the token is not valid yet")
    if claims.get("iss") != issuer.issuer:
        raise UnauthenticatedError("the token's issuer is not accepted")
    if issuer.audience and not _audience(claims.get("aud")) & set(issuer.audience):
        raise UnauthenticatedError("the token is for another audience")
    return expires


def _decode(segment: str) -> JSONObject:
    try:
        text = base64.b64decode(
            segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True
        )
        return read_strict_object(text)
    except (binascii.Error, ValueError) as error:
        raise UnauthenticatedError("the token is malformed") from error


def _time(claims: JSONObject, name: str) -> float | None:
    value: Any = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnauthenticatedError(f'the token\'s "{name}" is not a time')
    try:
        return float(value)
    except OverflowError as error:
        raise UnauthenticatedError(f'the token\'s "{name}" is not a time') from error


def _audience(value: JSON) -> set[str]:
    if isinstance(value, str):
        return {value}
    if isinstance(value, list):
        return {item for item in value if isinstance(item, str)}
    return set()
