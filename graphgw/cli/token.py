"""``graphgw token``: tokens for development, signed with a local key."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated

import jwt
import typer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from graphgw.config.units import read_duration

__all__ = ["ensure_key_pair", "run"]

_PRIVATE = "dev-private.pem"
_PUBLIC = "dev-public.pem"
_KEY_BITS = 2048


def run(
    subject: Annotated[str, typer.Option(help="Who the token is for.")] = "u1",
    scopes: Annotated[str, typer.Option(help="Scopes, parted by spaces.")] = "",
    expires: Annotated[str, typer.Option(help="Such as 15m or 1h.")] = "1h",
    issuer: Annotated[str, typer.Option(help="Its `iss` claim.")] = "graphgw-dev",
    audience: Annotated[str | None, typer.Option(help="Its `aud` claim.")] = None,
    folder: Annotated[Path, typer.Option(help="Where the key is kept.")] = Path(
        ".graphgw"
    ),
) -> None:
    """Mint a token for development; makes a key pair on first use."""
    try:
        seconds = int(read_duration(expires))
    except ValueError as error:
        raise typer.BadParameter(f"--expires {error}") from error
    now = int(time.time())
    claims = {
        "iss": issuer,
        "sub": subject,
        "iat": now,
        "exp": now + seconds,
        **({"scope": scopes} if scopes else {}),
        **({"aud": audience} if audience else {}),
    }
    private_key = ensure_key_pair(folder).read_bytes()
    typer.echo(jwt.encode(claims, private_key, algorithm="RS256"))


def ensure_key_pair(folder: Path) -> Path:
    """Return the private key's file; makes an RS256 key pair where there is none.

    The private key is readable by its owner alone.
    """
    private, public = folder / _PRIVATE, folder / _PUBLIC
    if private.exists() and public.exists():
        return private
    folder.mkdir(parents=True, exist_ok=True)
    key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    descriptor = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM,
            serialization.PublicFormat.SubjectPublicKeyInfo,
        )
    )
    return private
