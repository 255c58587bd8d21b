"""Verification keys, and which algorithms each of them may be used with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate
from jwt import PyJWK
from jwt.exceptions import PyJWTError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphgw.types import JSON, JSONObject

__all__ = ["KeySet", "VerificationKey", "read_jwks", "read_pem_keys", "secret_key"]

_MIN_RSA_BITS: Final = 2048
_MAX_KEYS: Final = 100
_RSA: Final = frozenset(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"))
_CURVES: Final = {"secp256r1": "ES256", "secp384r1": "ES384"}
_BEGIN: Final = b"-----BEGIN "


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key (or a secret), and what may be verified with it."""

    key: Any = field(repr=False)
    algorithms: frozenset[str]
    kid: str | None = None


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of one issuer."""

    keys: tuple[VerificationKey, ...]

    def find(self, kid: str | None, algorithm: str) -> tuple[VerificationKey, ...]:
        """Return the keys that a token's header may mean.

        A key without an id can be meant by every token; an id is only compared.
        """
        return tuple(
            key
            for key in self.keys
            if algorithm in key.algorithms
            and (kid is None or key.kid is None or key.kid == kid)
        )


def read_pem_keys(text: bytes) -> KeySet:
    """Read the public keys and certificates of a PEM file.

    Raises:
        ValueError: There is none, or one cannot be used.
    """
    blocks = [_BEGIN + block for block in text.split(_BEGIN)[1:]]
    keys = tuple(VerificationKey(key, _algorithms(key)) for key in map(_load, blocks))
    if not keys:
        raise ValueError("it holds no public key")
    return KeySet(keys)


def read_jwks(document: JSONObject) -> KeySet:
    """Read a JSON Web Key Set; keys of other kinds and for other uses are left out.

    Raises:
        ValueError: It is not a key set or has no key that can be used.
    """
    entries = document.get("keys")
    if not isinstance(entries, list) or len(entries) > _MAX_KEYS:
        raise ValueError(f"it has no list of at most {_MAX_KEYS} keys")
    keys = tuple(_usable(entries))
    if not keys:
        raise ValueError("it has no key that can be used")
    return KeySet(keys)


def secret_key(secret: str) -> KeySet:
    """Return the only key of an issuer that signs with HMAC."""
    algorithms = frozenset(("HS256", "HS384", "HS512"))
    return KeySet((VerificationKey(secret.encode(), algorithms),))


def _usable(entries: Iterable[JSON]) -> Iterable[VerificationKey]:
    for entry in entries:
        if not isinstance(entry, dict) or not _is_for_signatures(entry):
            continue
        try:
            key = PyJWK(entry).key
            algorithms = _algorithms(key)
            if "alg" in entry:
                algorithms = algorithms & {entry["alg"]}
        except (PyJWTError, ValueError, TypeError, NotImplementedError):
            continue
        kid = entry.get("kid")
        if algorithms:
            yield VerificationKey(
                key, algorithms, kid if isinstance(kid, str) else None
            )


def _is_for_signatures(entry: JSONObject) -> bool:
    uses = entry.get("key_ops")
    return (
        entry.get("use", "sig") == "sig"
        and (not isinstance(uses, list) or "verify" in uses)
        and entry.get("kty") in ("RSA", "EC", "OKP")
        and "d" not in entry
    )


def _load(block: bytes) -> Any:
    try:
        if block.startswith(b"-----BEGIN CERTIFICATE-----"):
            return load_pem_x509_certificate(block).public_key()
        return load_pem_public_key(block)
    except UnsupportedAlgorithm as error:
        raise ValueError("it holds a key of an unknown kind") from error


def _algorithms(key: Any) -> frozenset[str]:
    if isinstance(key, RSAPublicKey):
        if key.key_size < _MIN_RSA_BITS:
            raise ValueError(f"an RSA key must have at least {_MIN_RSA_BITS} bits")
        return _RSA
    if isinstance(key, EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return frozenset((_CURVES[key.curve.name],))
    if isinstance(key, Ed25519PublicKey):
        return frozenset(("EdDSA",))
    raise ValueError("it holds a key that is neither RSA, P-256, P-384 nor Ed25519")
