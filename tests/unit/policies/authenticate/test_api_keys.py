"""API keys: kept as hashes, valid while active and not expired."""

from __future__ import annotations

from dataclasses import fields, replace

import orjson
import pytest
from support.clock import ManualClock
from support.tokens import ISSUER, claims_at, private_key, public_pem, sign

from graphgw.errors import ConfigurationError, UnauthenticatedError
from graphgw.policies.authenticate.api_keys import (
    ApiKey,
    create_api_key,
    hash_api_key,
    write_api_keys,
)
from graphgw.policies.authenticate.authenticator import Authenticator, _at
from graphgw.policies.settings import ApiKeySettings, AuthSettings, IssuerSettings
from graphgw.types import Principal, Quota

SECRET = "pepper"  # noqa: S105 - a test's own


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys.json"


@pytest.fixture
def start(path, clock):
    def build(**auth):
        keys = ApiKeySettings(file=path, secret=SECRET)
        return Authenticator(AuthSettings(api_keys=keys, **auth), clock=clock)

    return build


def kept(text, name="partner", **options):
    return ApiKey(name, hash_api_key(text, SECRET), **options)


async def test_a_key_gives_its_name_and_scopes(path, start):
    text = create_api_key()
    write_api_keys(path, [kept(text, scopes=frozenset({"orders:read"}))])

    principal = await start().authenticate({"x-api-key": text}, "192.0.2.1")

    assert principal.is_authenticated
    assert (principal.subject, principal.api_key) == (None, "partner")
    assert principal.scopes == {"orders:read"}


async def test_the_file_holds_no_key_and_is_private(path):
    text = create_api_key()

    write_api_keys(path, [kept(text)])

    assert text not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0


async def test_a_key_keeps_its_quota(path, start):
    text = create_api_key()
    write_api_keys(path, [kept(text, quota=Quota(10, 60.0))])

    principal = await start().authenticate({"x-api-key": text}, "192.0.2.1")

    assert principal.quota == Quota(10, 60.0)


@pytest.mark.parametrize(
    "quota",
    [
        pytest.param({"limit": 0, "window": "1h"}, id="none"),
        pytest.param({"limit": -1, "window": "1h"}, id="negative"),
        pytest.param({"limit": "5", "window": "1h"}, id="text"),
        pytest.param({"limit": 5}, id="no-window"),
        pytest.param({"limit": 5, "window": "soon"}, id="no-duration"),
        pytest.param([5, "1h"], id="list"),
    ],
)
async def test_a_wrong_quota_is_refused_rather_than_left_out(path, start, quota):
    write_api_keys(path, [kept(create_api_key())])
    document = orjson.loads(path.read_bytes())
    document["keys"][0]["quota"] = quota
    path.write_bytes(orjson.dumps(document))

    with pytest.raises(ConfigurationError, match="quota"):
        start()


async def test_two_keys_are_never_alike():
    assert create_api_key() != create_api_key()


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"is_active": False}, id="inactive"),
        pytest.param({"expires": 1_800_000_000.0}, id="expired"),
    ],
)
async def test_a_key_that_is_over_is_refused(path, start, options):
    text = create_api_key()
    write_api_keys(path, [kept(text, **options)])

    with pytest.raises(UnauthenticatedError):
        await start().authenticate({"x-api-key": text}, None)


async def test_a_key_expires_while_the_gateway_runs(path, start, clock):
    text = create_api_key()
    write_api_keys(path, [kept(text, expires=clock.time() + 60)])
    authenticator = start()
    await authenticator.authenticate({"x-api-key": text}, None)

    clock.advance(61)

    with pytest.raises(UnauthenticatedError):
        await authenticator.authenticate({"x-api-key": text}, None)


@pytest.mark.parametrize("text", ["", "wrong", "x" * 100_000, "\udce4"])
async def test_a_wrong_key_is_refused(path, start, text):
    write_api_keys(path, [kept(create_api_key())])

    with pytest.raises(UnauthenticatedError):
        await start().authenticate({"x-api-key": text}, None)


async def test_a_stolen_file_is_useless_with_another_secret(path, clock):
    text = create_api_key()
    write_api_keys(path, [ApiKey("partner", hash_api_key(text, "other"))])
    keys = ApiKeySettings(file=path, secret=SECRET)

    with pytest.raises(UnauthenticatedError):
        await Authenticator(AuthSettings(api_keys=keys), clock=clock).authenticate(
            {"x-api-key": text}, None
        )


async def test_a_revoked_key_is_refused_within_a_second(path, start, clock):
    text = create_api_key()
    write_api_keys(path, [kept(text)])
    authenticator = start()
    await authenticator.authenticate({"x-api-key": text}, None)

    write_api_keys(path, [kept(text, is_active=False)])
    clock.advance(1.1)

    with pytest.raises(UnauthenticatedError):
        await authenticator.authenticate({"x-api-key": text}, None)


async def test_a_file_that_breaks_leaves_the_last_good_keys(path, start, clock):
    text = create_api_key()
    write_api_keys(path, [kept(text)])
    authenticator = start()

    path.write_text("{")
    clock.advance(1.1)

    principal = await authenticator.authenticate({"x-api-key": text}, None)
    assert principal.api_key == "partner"


async def test_a_key_and_a_token_name_client_and_user(path, tmp_path, start, clock):
    text = create_api_key()
    write_api_keys(path, [kept(text, scopes=frozenset({"admin"}))])
    pem = tmp_path / "issuer.pem"
    pem.write_bytes(public_pem(private_key()))
    authenticator = start(issuers=(IssuerSettings(issuer=ISSUER, key_file=pem),))
    token = sign(claims_at(clock.time(), scope="orders:read"))

    principal = await authenticator.authenticate(
        {"x-api-key": text, "authorization": f"Bearer {token}"}, None
    )

    assert (principal.subject, principal.api_key) == ("u1", "partner")
    assert principal.scopes == {"orders:read"}


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"keys": {}}',
        '{"keys": ["x"]}',
        '{"keys": [{"name": "a"}]}',
        '{"keys": [{"name": "a", "hash": "h", "scopes": "x"}]}',
        '{"keys": [{"name": "a", "hash": "h", "active": 1}]}',
        '{"keys": [{"name": "a", "hash": "h", "expires": "2027-01-01T00:00:00"}]}',
        '{"keys": [{"name": "a", "hash": "h", "expires": 7}]}',
        '{"keys": [{"name": "a", "hash": "h"}, {"name": "a", "hash": "i"}]}',
    ],
)
def test_a_wrong_file_is_told_at_the_start(path, start, text):
    path.write_text(text)

    with pytest.raises(ConfigurationError, match="the API keys cannot be read"):
        start()


def test_what_is_written_is_read_again(path, start):
    keys = [
        kept("a", "a", variant="beta", expires=1_900_000_000.0),
        kept("b", "b", is_active=False),
    ]

    write_api_keys(path, keys)

    assert start()._api_keys.all() == tuple(keys)


async def test_nothing_of_a_principal_is_lost_on_the_way_to_its_address():
    whole = Principal(
        "ann",
        frozenset({"a"}),
        {"iss": "x"},
        "metered",
        None,
        "mobile",
        Quota(1, 1.0),
    )

    placed = _at(whole, "192.0.2.1")

    assert placed == replace(whole, ip="192.0.2.1")
    assert all(getattr(placed, f.name) is not None for f in fields(Principal))
