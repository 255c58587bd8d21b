"""Callers with tokens, and the key by which a gateway knows them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["mint_tokens"]

_CALLERS: Final = 100
"""So many that none uses up the limits of the example graph."""
_SECONDS: Final = 6 * 3600


def mint_tokens(key_file: Path) -> tuple[str, ...]:
    """Write a new public key, and return tokens of many callers signed with its own."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key()
    key_file.write_bytes(
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    now = int(time.time())
    return tuple(
        jwt.encode(
            {"iss": "bench", "sub": f"caller-{number}", "exp": now + _SECONDS},
            key,
            "RS256",
        )
        for number in range(_CALLERS)
    )
