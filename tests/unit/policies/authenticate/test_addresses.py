"""Client addresses: only trusted proxies may speak for others."""

from __future__ import annotations

import pytest

from graphgw.errors import ConfigurationError, UnauthorizedError
from graphgw.policies.authenticate.addresses import AddressList, client_address
from graphgw.policies.authenticate.authenticator import Authenticator
from graphgw.policies.settings import AddressSettings, AuthSettings

PROXIES = AddressList(["10.0.0.0/8", "fd00::/8"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        pytest.param("192.0.2.1", None, "192.0.2.1", id="no-proxy"),
        pytest.param("192.0.2.1", "203.0.113.7", "192.0.2.1", id="untrusted-peer"),
        pytest.param("10.0.0.1", "203.0.113.7", "203.0.113.7", id="trusted-peer"),
        pytest.param("10.0.0.1", "1.1.1.1, 203.0.113.7", "203.0.113.7", id="spoofed"),
        pytest.param("10.0.0.1", "203.0.113.7, 10.0.0.2", "203.0.113.7", id="chain"),
        pytest.param("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3", id="all-trusted"),
        pytest.param("10.0.0.1", "garbage", "10.0.0.1", id="garbage"),
        pytest.param("10.0.0.1", "1.1.1.1, garbage, 10.0.0.2", "10.0.0.2", id="broken"),
        pytest.param("10.0.0.1", "", "10.0.0.1", id="empty"),
        pytest.param("10.0.0.1", "203.0.113.7:4711", "203.0.113.7", id="port"),
        pytest.param("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1", id="v6-port"),
        pytest.param("fd00::1", "2001:db8::1", "2001:db8::1", id="v6"),
        pytest.param("::ffff:10.0.0.1", "203.0.113.7", "203.0.113.7", id="mapped"),
        pytest.param(None, "203.0.113.7", None, id="no-peer"),
    ],
)
def test_the_first_address_that_is_not_trusted_is_the_client(peer, forwarded, expected):
    assert client_address(peer, forwarded, PROXIES) == expected


@pytest.mark.parametrize(
    ("address", "is_held"),
    [
        pytest.param("10.1.2.3", True, id="inside"),
        pytest.param("11.0.0.1", False, id="outside"),
        pytest.param("::ffff:10.1.2.3", True, id="mapped"),
        pytest.param("fd12::1", True, id="v6"),
        pytest.param(None, False, id="unknown"),
        pytest.param("localhost", False, id="name"),
    ],
)
def test_a_list_holds_the_addresses_of_its_networks(address, is_held):
    assert PROXIES.holds(address) is is_held


def authenticator(**addresses):
    return Authenticator(AuthSettings(addresses=AddressSettings(**addresses)))


@pytest.mark.parametrize(
    ("addresses", "peer", "is_allowed"),
    [
        pytest.param({"deny": ("192.0.2.0/24",)}, "192.0.2.1", False, id="denied"),
        pytest.param({"deny": ("192.0.2.0/24",)}, "192.0.3.1", True, id="not-denied"),
        pytest.param({"allow": ("192.0.2.1",)}, "192.0.2.1", True, id="allowed"),
        pytest.param({"allow": ("192.0.2.1",)}, "192.0.2.2", False, id="not-allowed"),
        pytest.param({"allow": ("192.0.2.1",)}, None, False, id="unknown"),
        pytest.param(
            {"allow": ("192.0.2.0/24",), "deny": ("192.0.2.1",)},
            "192.0.2.1",
            False,
            id="deny-wins",
        ),
        pytest.param(
            {"deny": ("0.0.0.0/0",), "switch": "off"}, "192.0.2.1", True, id="off"
        ),
        pytest.param(
            {"deny": ("0.0.0.0/0",), "switch": "shadow"}, "192.0.2.1", True, id="shadow"
        ),
    ],
)
async def test_addresses_are_let_in_or_not(addresses, peer, is_allowed):
    made = authenticator(**addresses)

    if is_allowed:
        assert (await made.authenticate({}, peer)).ip == peer
    else:
        with pytest.raises(UnauthorizedError):
            await made.authenticate({}, peer)


async def test_a_denied_client_is_denied_behind_a_trusted_proxy():
    made = authenticator(deny=("203.0.113.0/24",), trusted_proxies=("10.0.0.0/8",))

    with pytest.raises(UnauthorizedError):
        await made.authenticate({"x-forwarded-for": "203.0.113.9"}, "10.0.0.1")


def test_a_wrong_network_is_told_at_once():
    with pytest.raises(ConfigurationError, match="not an address or network"):
        authenticator(deny=("192.0.2.0/99",))


@pytest.mark.parametrize(
    "addresses",
    [
        pytest.param({"deny": ("192.0.2.0/24",)}, id="denied"),
        pytest.param({"allow": ("192.0.2.0/24",)}, id="allowed"),
        pytest.param({"trusted_proxies": ("192.0.2.1/32",)}, id="a proxy"),
    ],
)
async def test_nobody_is_recognized_whose_address_must_be_looked_at(addresses):
    found = authenticator(**addresses)

    assert found.recognize({}, "192.0.2.1") is None


async def test_who_proves_nothing_is_recognized_as_anonymous_at_their_address():
    found = authenticator()

    assert found.recognize({}, "192.0.2.1") == await found.authenticate({}, "192.0.2.1")
