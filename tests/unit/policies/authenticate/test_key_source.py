"""Key sets over HTTP: fetched once, kept while the provider is down."""

from __future__ import annotations

import asyncio
import gzip
import json

import httpx
import pytest
from support.clock import ManualClock
from support.tokens import ISSUER, claims_at, jwk, private_key, sign

from graphgw.errors import UnauthenticatedError
from graphgw.policies.authenticate.authenticator import Authenticator
from graphgw.policies.authenticate.keys import read_jwks
from graphgw.policies.settings import AuthSettings, IssuerSettings


class Provider:
    """An identity provider's key endpoint."""

    def __init__(self, *keys):
        self.answer = httpx.Response(200, json={"keys": list(keys)})
        self.calls = []
        self.gate = asyncio.Event()
        self.gate.set()

    def serve(self, *keys):
        self.answer = httpx.Response(200, json={"keys": list(keys)})

    async def __call__(self, request):
        self.calls.append(str(request.url))
        await self.gate.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def rsa_jwk(name="first", **members):
    return jwk(private_key("RS256", name), "RS256", kid=name, **members)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def provider():
    return Provider(rsa_jwk())


@pytest.fixture
async def authenticator(provider, clock):
    issuer = IssuerSettings(issuer=ISSUER, jwks_url="https://login.example/keys")
    client = httpx.AsyncClient(transport=httpx.MockTransport(provider))
    made = Authenticator(AuthSettings(issuers=(issuer,)), client=client, clock=clock)
    yield made
    await made.aclose()
    await client.aclose()


@pytest.fixture
def ask(authenticator, clock):
    async def authenticate(name="first", *, sub="u1", algorithm="RS256", **header):
        claims = claims_at(clock.time(), sub=sub)
        token = sign(claims, private_key("RS256", name), algorithm, **header)
        headers = {"authorization": f"Bearer {token}"}
        return await authenticator.authenticate(headers, None)

    return authenticate


async def settle():
    for _ in range(20):
        await asyncio.sleep(0)


async def test_fifty_cold_tokens_cause_one_fetch(provider, ask):
    principals = await asyncio.gather(
        *(ask(sub=f"u{n}", kid="first") for n in range(50))
    )

    assert len({p.subject for p in principals}) == 50
    assert len(provider.calls) == 1


async def test_keys_are_renewed_behind_the_request(provider, ask, clock):
    await ask(kid="first")
    clock.advance(301)

    await ask(sub="u2", kid="first")
    assert len(provider.calls) == 1
    await settle()

    assert len(provider.calls) == 2


async def test_an_unknown_key_is_asked_for_once_in_thirty_seconds(provider, ask, clock):
    await ask(kid="first")
    for n in range(10):
        with pytest.raises(UnauthenticatedError):
            await ask("second", sub=f"u{n}", kid="second")
        clock.advance(2.5)
    assert len(provider.calls) == 2

    provider.serve(rsa_jwk(), rsa_jwk("second"))
    clock.advance(6)

    assert (await ask("second", kid="second")).subject == "u1"
    assert len(provider.calls) == 3


async def test_a_new_key_is_known_after_one_question(provider, ask):
    await ask(kid="first")
    provider.serve(rsa_jwk("second"))

    principals = await asyncio.gather(
        *(ask("second", sub=f"u{n}", kid="second") for n in range(20))
    )

    assert len(principals) == 20
    assert len(provider.calls) == 2


async def test_a_token_of_a_withdrawn_key_is_verified_again(provider, ask, clock):
    await ask(kid="first")
    provider.serve(rsa_jwk("second"))
    clock.advance(301)
    await ask(kid="first")
    await settle()

    with pytest.raises(UnauthenticatedError):
        await ask(kid="first")


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(httpx.Response(503), id="503"),
        pytest.param(httpx.Response(200, content=b"garbage"), id="garbage"),
        pytest.param(httpx.Response(200, json={"keys": []}), id="no-keys"),
        pytest.param(httpx.Response(200, json=[]), id="not-an-object"),
        pytest.param(
            httpx.Response(200, content=b'{"keys":[],"keys":[]}'), id="ambiguous"
        ),
        pytest.param(httpx.Response(200, content=b"x" * 2_000_000), id="huge"),
        pytest.param(
            httpx.Response(302, headers={"location": "http://10.0.0.1/"}),
            id="redirect",
        ),
        pytest.param(httpx.ConnectError("refused"), id="refused"),
        pytest.param(
            httpx.Response(
                200,
                headers={"content-encoding": "gzip"},
                content=gzip.compress(b'{"keys": []}'),
            ),
            id="compressed",
        ),
    ],
)
class TestWhileTheProviderFails:
    async def test_the_last_good_keys_serve_for_a_day(
        self, failure, provider, ask, clock
    ):
        await ask(kid="first")
        provider.answer = failure

        clock.advance(86_000)
        assert (await ask(kid="first")).subject == "u1"
        await settle()
        clock.advance(500)

        with pytest.raises(UnauthenticatedError):
            await ask(kid="first")

    async def test_no_door_is_open_at_the_start(
        self, failure, provider, ask, authenticator, clock
    ):
        provider.answer = failure
        await authenticator.start()
        assert not authenticator.is_ready

        with pytest.raises(UnauthenticatedError, match="cannot be had"):
            await ask(kid="first")

        provider.serve(rsa_jwk())
        clock.advance(6)
        assert (await ask(kid="first")).subject == "u1"
        assert authenticator.is_ready

    async def test_it_is_not_stormed(self, failure, provider, ask):
        provider.answer = failure

        for n in range(20):
            with pytest.raises(UnauthenticatedError):
                await ask(sub=f"u{n}", kid="first")

        assert len(provider.calls) <= 2


async def test_a_redirect_is_not_followed(provider, ask):
    provider.answer = httpx.Response(302, headers={"location": "http://10.0.0.1/"})

    with pytest.raises(UnauthenticatedError):
        await ask(kid="first")

    assert provider.calls == ["https://login.example/keys"]


async def test_a_provider_that_hangs_is_given_up_on(provider, clock):
    issuer = IssuerSettings(
        issuer=ISSUER, jwks_url="https://login.example/keys", jwks_timeout=0.01
    )
    provider.gate.clear()
    async with httpx.AsyncClient(transport=httpx.MockTransport(provider)) as client:
        authenticator = Authenticator(
            AuthSettings(issuers=(issuer,)), client=client, clock=clock
        )
        token = sign(claims_at(clock.time()))
        with pytest.raises(UnauthenticatedError, match="cannot be had"):
            await authenticator.authenticate({"authorization": f"Bearer {token}"}, None)
        await authenticator.aclose()


async def test_one_waiter_leaving_does_not_end_the_question(provider, ask):
    provider.gate.clear()
    first = asyncio.create_task(ask(kid="first"))
    second = asyncio.create_task(ask(sub="u2", kid="first"))
    await settle()

    first.cancel()
    await settle()
    provider.gate.set()

    assert (await second).subject == "u2"
    assert len(provider.calls) == 1


async def test_the_algorithm_of_a_key_binds_its_tokens(provider, ask):
    provider.serve(rsa_jwk(alg="RS512"))

    with pytest.raises(UnauthenticatedError):
        await ask(kid="first")


def test_only_keys_for_signatures_are_used():
    document = {
        "keys": [
            rsa_jwk("second", use="enc"),
            rsa_jwk("second", key_ops=["encrypt"]),
            {"kty": "oct", "k": "c2VjcmV0", "kid": "hmac"},
            {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "tiny"},
            {"kty": "RSA"},
            {"kty": "EC", "crv": "P-1", "kid": "curve"},
            {"kty": {}, "alg": []},
            "text",
            rsa_jwk(alg="RSA-OAEP"),
            rsa_jwk(alg=["RS256"]),
            rsa_jwk("good", use="sig"),
        ]
    }

    keys = read_jwks(json.loads(json.dumps(document)))

    assert [key.kid for key in keys.keys] == ["good"]
