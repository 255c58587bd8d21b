"""Keys and tokens of an identity provider that exists only in tests."""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import get_default_algorithms

__all__ = [
    "ISSUER",
    "claims_at",
    "jwk",
    "private_key",
    "public_pem",
    "sign",
    "sign_raw",
    "unsigned_segment",
]

ISSUER = "https://login.example"


def private_key(algorithm: str = "RS256", name: str = "first") -> Any:
    """Return a real key; the same one for the same algorithm and name."""
    return _make_key(algorithm, name)


@cache
def _make_key(algorithm: str, name: str) -> Any:
    del name
    if algorithm.startswith(("RS", "PS")):
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    curve = ec.SECP384R1() if algorithm == "ES384" else ec.SECP256R1()
    return ec.generate_private_key(curve)


def public_pem(key: Any) -> bytes:
    """Return the public half as PEM."""
    return key.public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )


def jwk(key: Any, algorithm: str, **members: Any) -> dict[str, Any]:
    """Return the public half as a JSON Web Key."""
    found = get_default_algorithms()[algorithm].to_jwk(key.public_key(), as_dict=True)
    return {**found, **members}


def claims_at(now: float, **claims: Any) -> dict[str, Any]:
    """Return the claims of a good token made at ``now``; ``None`` leaves one out."""
    good = {"iss": ISSUER, "sub": "u1", "iat": int(now), "exp": int(now) + 600}
    return {k: v for k, v in {**good, **claims}.items() if v is not None}


def sign(
    claims: dict[str, Any],
    key: Any = None,
    algorithm: str = "RS256",
    **header: Any,
) -> str:
    """Return a signed token."""
    key = private_key(algorithm) if key is None else key
    return jwt.encode(claims, key, algorithm=algorithm, headers=header or None)


def sign_raw(
    header: dict[str, Any], claims_text: bytes, key: Any, algorithm: str
) -> str:
    """Return a token whose header and claims are exactly these."""
    segments = (json.dumps(header).encode(), claims_text)
    signed = ".".join(map(unsigned_segment, segments))
    signer = get_default_algorithms()[algorithm]
    signature = signer.sign(signed.encode(), signer.prepare_key(key))
    return f"{signed}.{unsigned_segment(signature)}"


def unsigned_segment(text: bytes) -> str:
    """Return one segment of a token."""
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()
