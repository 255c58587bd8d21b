"""``graphgw token``: development tokens, and the key pair they are signed with."""

from __future__ import annotations

import stat
import time
from pathlib import Path

import jwt
import pytest
from support.command import graphgw_in_process


def mint(folder: Path, *options: str) -> dict[str, object]:
    done = graphgw_in_process("token", "--folder", str(folder), *options)
    assert done.returncode == 0, done.stderr
    public_key = (folder / "dev-public.pem").read_text()
    claims: dict[str, object] = jwt.decode(
        done.stdout.strip(),
        public_key,
        algorithms=["RS256"],
        options={"verify_aud": False},
    )
    return claims


def test_a_token_holds_what_was_asked_for(tmp_path: Path):
    claims = mint(
        tmp_path,
        "--subject", "u7", "--scopes", "a b", "--expires", "5m", "--audience", "shop",
    )  # fmt: skip

    now = time.time()
    assert claims["iss"] == "graphgw-dev"
    assert claims["sub"] == "u7"
    assert claims["scope"] == "a b"
    assert claims["aud"] == "shop"
    assert 200 < int(str(claims["exp"])) - now <= 300


def test_the_key_pair_is_made_once_and_its_private_half_is_its_owner_s(tmp_path: Path):
    folder = tmp_path / "keys"

    mint(folder)
    before = (folder / "dev-private.pem").read_bytes()
    mint(folder)

    private = folder / "dev-private.pem"
    assert private.read_bytes() == before
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert b"PRIVATE" not in (folder / "dev-public.pem").read_bytes()


@pytest.mark.parametrize("expires", ["soon", "", "1 week"])
def test_a_wrong_lifetime_is_told(tmp_path: Path, expires: str):
    done = graphgw_in_process("token", "--folder", str(tmp_path), "--expires", expires)

    assert done.returncode == 2
    assert "--expires must be a duration such as 500ms, 10s or 1m" in done.stderr
