"""``graphgw keys``: made, listed and revoked, in a file and in Redis."""

from __future__ import annotations

import asyncio
import json

import pytest
from support.clock import ManualClock
from support.command import graphgw_in_process as graphgw
from support.redis_server import RedisServer

from graphgw.config.load import load_settings
from graphgw.errors import UnauthenticatedError
from graphgw.policies.authenticate.authenticator import Authenticator
from graphgw.types import Quota

SECRET = "a secret of the test"  # noqa: S105 - a test's own


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory):
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(params=["file", "redis"])
def config(request, tmp_path):
    place = "file: keys/api.json"
    if request.param == "redis":
        server = request.getfixturevalue("redis_server")
        place = f"redis_url: '{server.url}?db={len(request.node.name) % 16}'"
    path = tmp_path / "graphgw.yaml"
    path.write_text(f"auth: {{api_keys: {{{place}, secret: {SECRET}}}}}\n")
    return path


def run(config, *arguments):
    return graphgw("keys", *arguments, "--config", str(config))


async def ask(config, key, clock=None):
    made = Authenticator(
        load_settings(config).auth, **({"clock": clock} if clock else {})
    )
    try:
        return await made.authenticate({"x-api-key": key}, "192.0.2.1")
    finally:
        await made.aclose()


async def test_a_created_key_opens_the_gateway_until_it_is_revoked(config):
    made = await in_thread(run, config, "create", "shop", "--scopes", "orders:read a")
    key = made.stdout.strip()
    assert (made.returncode, made.stderr) == (0, "")
    assert key.startswith("ggw_")

    principal = await ask(config, key)

    assert principal.api_key == "shop"
    assert principal.scopes == {"orders:read", "a"}
    listed = await in_thread(run, config, "list")
    assert "shop  a orders:read  -        -      never    yes" in listed.stdout
    assert key not in listed.stdout

    revoked = await in_thread(run, config, "revoke", "shop")

    assert revoked.returncode == 0
    with pytest.raises(UnauthenticatedError):
        await ask(config, key)
    assert "no" in (await in_thread(run, config, "list")).stdout.splitlines()[1]


async def test_a_key_expires(config):
    made = await in_thread(run, config, "create", "brief", "--expires", "1h")
    key = made.stdout.strip()
    await ask(config, key)

    with pytest.raises(UnauthenticatedError):
        await ask(config, key, ManualClock(4_000_000_000.0))


async def test_a_key_has_a_quota_of_its_own(config):
    made = await in_thread(run, config, "create", "metered", "--quota", "1000/2h")
    wrong = await in_thread(run, config, "create", "wrong", "--quota", "many")

    principal = await ask(config, made.stdout.strip())

    assert principal.quota == Quota(1000, 7200.0)
    assert "1000/2h" in (await in_thread(run, config, "list")).stdout
    assert wrong.returncode != 0
    assert "is not a quota such as 1000/1h" in wrong.stderr


def test_a_key_for_a_variant_that_is_not_there_is_made_with_a_hint(config):
    config.write_text(config.read_text() + "variants: {mobile: {include: [mobile]}}\n")

    unknown = run(config, "create", "early", "--variant", "mobil")
    known = run(config, "create", "phone", "--variant", "mobile")
    free = run(config, "create", "free")

    assert 'hint: there is no variant "mobil"' in unknown.stderr
    assert (unknown.returncode, unknown.stdout[:4]) == (0, "ggw_")
    assert (known.stderr, free.stderr) == ("", "")


async def test_a_name_is_given_once_and_must_be_known(config):
    await in_thread(run, config, "create", "twice")

    again = await in_thread(run, config, "create", "twice")
    unknown = await in_thread(run, config, "revoke", "nobody")

    assert (again.returncode, again.stdout) == (1, "")
    assert "there is such a key" in again.stderr
    assert unknown.returncode == 1
    assert "there is no such key" in unknown.stderr


def test_nothing_that_is_kept_opens_the_gateway(config, tmp_path):
    key = run(config, "create", "kept").stdout.strip()
    file = tmp_path / "keys" / "api.json"

    if file.exists():
        assert key not in file.read_text()
        assert file.stat().st_mode & 0o077 == 0
        assert [k["name"] for k in json.loads(file.read_text())["keys"]] == ["kept"]


def test_without_a_place_for_keys_it_says_where_to_name_one(tmp_path):
    path = tmp_path / "graphgw.yaml"
    path.write_text("deadline: 1s\n")

    done = run(path, "create", "shop")

    assert done.returncode == 1
    assert "auth.api_keys.file" in done.stderr


async def test_a_lately_used_key_outlives_redis_and_an_unknown_one_does_not(tmp_path):
    server = RedisServer(tmp_path)
    server.start()
    path = tmp_path / "graphgw.yaml"
    path.write_text(
        f"auth: {{api_keys: {{redis_url: {server.url}, secret: {SECRET}}}}}\n"
    )
    key = (await in_thread(run, path, "create", "lasting")).stdout.strip()
    other = (await in_thread(run, path, "create", "other")).stdout.strip()
    clock = ManualClock()
    made = Authenticator(load_settings(path).auth, clock=clock)
    await made.authenticate({"x-api-key": key}, None)

    server.kill()
    clock.advance(60)

    assert (await made.authenticate({"x-api-key": key}, None)).api_key == "lasting"
    with pytest.raises(UnauthenticatedError):
        await made.authenticate({"x-api-key": other}, None)
    clock.advance(600)
    with pytest.raises(UnauthenticatedError):
        await made.authenticate({"x-api-key": key}, None)
    await made.aclose()


async def in_thread(function, *arguments):
    # The command runs an event loop of its own.
    return await asyncio.to_thread(function, *arguments)
