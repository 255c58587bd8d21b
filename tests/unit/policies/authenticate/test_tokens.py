"""Tokens: who is believed, and every way in which one must not be."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest
from support.clock import ManualClock
from support.tokens import (
    ISSUER,
    claims_at,
    private_key,
    public_pem,
    sign,
    sign_raw,
    unsigned_segment,
)

from graphgw.errors import ConfigurationError, UnauthenticatedError
from graphgw.policies.authenticate.authenticator import Authenticator
from graphgw.policies.settings import AuthSettings, IssuerSettings


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "issuer.pem"
    path.write_bytes(public_pem(private_key()))
    return path


@pytest.fixture
def authenticator(key_file, clock):
    issuer = IssuerSettings(issuer=ISSUER, audience=("graph",), key_file=key_file)
    return Authenticator(AuthSettings(issuers=(issuer,)), clock=clock)


def bearer(token):
    return {"authorization": f"Bearer {token}"}


def good(clock, **claims):
    return claims_at(clock.time(), **{"aud": "graph", **claims})


async def refusal(authenticator, token):
    with pytest.raises(UnauthenticatedError) as caught:
        await authenticator.authenticate(bearer(token), "192.0.2.1")
    return caught.value.message


async def test_no_credentials_make_an_anonymous_principal(authenticator):
    principal = await authenticator.authenticate({}, "192.0.2.1")

    assert not principal.is_authenticated
    assert principal.ip == "192.0.2.1"


async def test_a_good_token_names_its_subject_and_scopes(authenticator, clock):
    token = sign(good(clock, scope="a b", scp=["c"], scopes="d"))

    principal = await authenticator.authenticate(bearer(token), "192.0.2.1")

    assert principal.subject == "u1"
    assert principal.scopes == {"a", "b", "c", "d"}
    assert principal.claims["aud"] == "graph"
    assert principal.ip == "192.0.2.1"
    assert token not in repr(principal)


async def test_a_verified_token_is_remembered_but_not_its_address(authenticator, clock):
    token = sign(good(clock))
    first = await authenticator.authenticate(bearer(token), "192.0.2.1")

    second = await authenticator.authenticate(bearer(token), "192.0.2.2")

    assert second.claims is first.claims
    assert (first.ip, second.ip) == ("192.0.2.1", "192.0.2.2")


async def test_a_remembered_token_expires_all_the_same(authenticator, clock):
    token = sign(good(clock))
    await authenticator.authenticate(bearer(token), None)

    clock.advance(600 + 59)
    await authenticator.authenticate(bearer(token), None)
    clock.advance(2)

    assert await refusal(authenticator, token) == "the token has expired"


@pytest.mark.parametrize(
    "shift",
    [
        pytest.param({"iat": 30}, id="iat-ahead"),
        pytest.param({"nbf": 30}, id="nbf-ahead"),
        pytest.param({"exp": -30}, id="exp-behind"),
    ],
)
async def test_clocks_may_differ_by_the_leeway(authenticator, clock, shift):
    times = {name: int(clock.time()) + seconds for name, seconds in shift.items()}

    principal = await authenticator.authenticate(
        bearer(sign(good(clock, **times))), None
    )

    assert principal.subject == "u1"


@pytest.mark.parametrize(
    ("shift", "reason"),
    [
        pytest.param({"iat": 600}, "the token is not valid yet", id="iat-ahead"),
        pytest.param({"nbf": 600}, "the token is not valid yet", id="nbf-ahead"),
        pytest.param({"exp": -600}, "the token has expired", id="exp-behind"),
    ],
)
async def test_clocks_may_not_differ_by_more(authenticator, clock, shift, reason):
    times = {name: int(clock.time()) + seconds for name, seconds in shift.items()}

    assert await refusal(authenticator, sign(good(clock, **times))) == reason


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"exp": None}, id="no-expiry"),
        pytest.param({"exp": "soon"}, id="expiry-is-text"),
        pytest.param({"exp": True}, id="expiry-is-boolean"),
        pytest.param({"sub": None}, id="no-subject"),
        pytest.param({"sub": 7}, id="subject-is-a-number"),
        pytest.param({"sub": ""}, id="empty-subject"),
        pytest.param({"aud": "other"}, id="other-audience"),
        pytest.param({"aud": None}, id="no-audience"),
        pytest.param({"iss": "https://evil.example"}, id="other-issuer"),
        pytest.param({"iss": None}, id="no-issuer"),
    ],
)
async def test_claims_that_do_not_hold_are_refused(authenticator, clock, claims):
    token = sign_raw(
        {"alg": "RS256"},
        json.dumps(good(clock, **claims)).encode(),
        private_key(),
        "RS256",
    )

    assert await refusal(authenticator, token)


async def test_an_expiry_of_a_hundred_thousand_digits_is_refused(authenticator, clock):
    text = json.dumps(good(clock)).replace(
        str(int(clock.time()) + 600), "1" + "0" * 5000
    )

    token = sign_raw({"alg": "RS256"}, text.encode(), private_key(), "RS256")

    assert await refusal(authenticator, token) == "the token is malformed"


@pytest.mark.parametrize("algorithm", ["none", "None", "nOnE", ""])
async def test_an_unsigned_token_is_refused(authenticator, clock, algorithm):
    header = unsigned_segment(json.dumps({"alg": algorithm}).encode())
    claims = unsigned_segment(json.dumps(good(clock)).encode())

    for signature in ("", "AAAA"):
        assert await refusal(authenticator, f"{header}.{claims}.{signature}")


async def test_a_token_without_algorithm_is_refused(authenticator, clock):
    claims = json.dumps(good(clock)).encode()

    token = sign_raw({"typ": "JWT"}, claims, private_key(), "RS256")

    assert await refusal(authenticator, token) == "the token names no algorithm"


@pytest.mark.parametrize("encoding", ["pem", "pem-stripped", "der"])
async def test_the_public_key_is_no_hmac_secret(authenticator, clock, encoding):
    pem = public_pem(private_key())
    secret = {
        "pem": pem,
        "pem-stripped": pem.strip(),
        "der": b"".join(pem.splitlines()[1:-1]),
    }[encoding]
    header = unsigned_segment(b'{"alg":"HS256"}')
    claims = unsigned_segment(json.dumps(good(clock)).encode())
    digest = hmac.new(secret, f"{header}.{claims}".encode(), hashlib.sha256).digest()

    token = f"{header}.{claims}.{unsigned_segment(digest)}"

    assert await refusal(authenticator, token) == (
        "the token's algorithm is not accepted"
    )


async def test_an_algorithm_that_the_issuer_does_not_use_is_refused(
    authenticator, clock
):
    token = sign(good(clock), private_key(), "RS512")

    assert await refusal(authenticator, token) == (
        "the token's algorithm is not accepted"
    )


async def test_a_token_of_another_key_is_refused(authenticator, clock):
    token = sign(good(clock), private_key("RS256", "second"))

    assert await refusal(authenticator, token) == "the token's signature does not fit"


@pytest.mark.parametrize(
    "header",
    [
        pytest.param({"crit": ["x"], "x": 1}, id="crit"),
        pytest.param({"crit": []}, id="empty-crit"),
        pytest.param({"crit": ["b64"], "b64": False}, id="b64"),
        pytest.param({"kid": 7}, id="kid-is-a-number"),
        pytest.param({"kid": "x" * 100_000}, id="huge-kid"),
    ],
)
async def test_headers_that_cannot_be_honoured_are_refused(
    authenticator, clock, header
):
    claims = json.dumps(good(clock)).encode()

    token = sign_raw({"alg": "RS256", **header}, claims, private_key(), "RS256")

    assert await refusal(authenticator, token)


@pytest.mark.parametrize(
    "kid", ["../../dev/null", "' OR 1=1", "", "/dev/null", "unknown"]
)
async def test_a_key_id_is_never_more_than_compared(authenticator, clock, kid):
    forged = private_key("RS256", "forger")

    token = sign(good(clock), forged, kid=kid)

    assert await refusal(authenticator, token) == "the token's signature does not fit"


async def test_a_key_that_the_token_brings_is_not_used(authenticator, clock):
    forged = private_key("RS256", "forger")
    token = sign(
        good(clock),
        forged,
        jku="http://127.0.0.1:9/keys",
        x5u="http://127.0.0.1:9/chain",
        jwk={"kty": "RSA"},
    )

    assert await refusal(authenticator, token) == "the token's signature does not fit"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"sub":"u1","sub":"admin"', id="claims"),
        pytest.param('{"x":{"a":1,"a":2}', id="nested"),
        pytest.param('{"x":NaN', id="nan"),
        pytest.param('{"x":"\\ud800"', id="half-a-surrogate-pair"),
    ],
)
async def test_ambiguous_json_is_refused(authenticator, clock, text):
    rest = json.dumps(good(clock))[1:]

    token = sign_raw(
        {"alg": "RS256"}, f"{text},{rest}".encode(), private_key(), "RS256"
    )

    assert await refusal(authenticator, token) == "the token is malformed"


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "Bearer a.b",
        "Bearer a.b.c",
        "Bearer a.b.c.d",
        "Bearer \udce4.b.c",
        "Bearer " + "a" * 50_000,
        "Bearer e30.e30.e30",
        "Bearer W10.e30.AAAA",
    ],
)
async def test_garbage_is_refused_and_breaks_nothing(authenticator, authorization):
    with pytest.raises(UnauthenticatedError) as caught:
        await authenticator.authenticate({"authorization": authorization}, None)

    assert caught.value.status == 401


async def test_json_nested_too_deeply_is_refused(authenticator):
    deep = unsigned_segment(b"[" * 5000 + b"]" * 5000)

    assert await refusal(authenticator, f"{deep}.e30.AAAA") == "the token is malformed"


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "ES384", "EdDSA"])
async def test_each_kind_of_key_verifies_its_own_algorithms(algorithm, tmp_path, clock):
    path = tmp_path / "key.pem"
    path.write_bytes(public_pem(private_key(algorithm)))
    issuer = IssuerSettings(issuer=ISSUER, key_file=path, algorithms=(algorithm,))
    authenticator = Authenticator(AuthSettings(issuers=(issuer,)), clock=clock)

    token = sign(good(clock), private_key(algorithm), algorithm)

    principal = await authenticator.authenticate(bearer(token), None)
    assert principal.subject == "u1"


async def test_a_shared_secret_verifies_hmac_only(clock):
    secret = "s" * 32
    issuer = IssuerSettings(issuer=ISSUER, secret=secret, algorithms=("HS256",))
    authenticator = Authenticator(AuthSettings(issuers=(issuer,)), clock=clock)

    token = sign(good(clock), secret, "HS256")

    principal = await authenticator.authenticate(bearer(token), None)
    assert principal.subject == "u1"
    assert await refusal(authenticator, sign(good(clock))) == (
        "the token's algorithm is not accepted"
    )


async def test_one_issuers_key_does_not_speak_for_another(tmp_path, clock):
    issuers = []
    for name in ("first", "second"):
        path = tmp_path / f"{name}.pem"
        path.write_bytes(public_pem(private_key("RS256", name)))
        issuers.append(IssuerSettings(issuer=f"https://{name}", key_file=path))
    authenticator = Authenticator(AuthSettings(issuers=tuple(issuers)), clock=clock)

    for name in ("first", "second"):
        token = sign(good(clock, iss=f"https://{name}"), private_key("RS256", name))
        assert (await authenticator.authenticate(bearer(token), None)).subject == "u1"
    crossed = sign(good(clock, iss="https://first"), private_key("RS256", "second"))
    assert await refusal(authenticator, crossed) == "the token's signature does not fit"


@pytest.mark.parametrize("switch", ["off", "shadow"])
async def test_a_wrong_token_is_anonymous_where_auth_is_not_enforced(
    switch, key_file, clock
):
    seen = []

    class Recorder:
        def observe(self, event):
            seen.append(event)

    issuer = IssuerSettings(issuer=ISSUER, key_file=key_file)
    authenticator = Authenticator(
        AuthSettings(issuers=(issuer,), switch=switch), clock=clock, observer=Recorder()
    )

    principal = await authenticator.authenticate(bearer("a.b.c"), "192.0.2.1")

    assert not principal.is_authenticated
    assert len(seen) == (1 if switch == "shadow" else 0)


async def test_without_issuers_a_token_is_somebody_elses_business():
    authenticator = Authenticator(AuthSettings())

    principal = await authenticator.authenticate(bearer("opaque"), None)

    assert not principal.is_authenticated


@pytest.mark.parametrize(
    "issuer",
    [
        pytest.param(IssuerSettings(issuer="x"), id="no-keys"),
        pytest.param(
            IssuerSettings(issuer="x", secret="s" * 32, jwks_url="https://a/b"),
            id="two-sources",
        ),
        pytest.param(IssuerSettings(issuer="x", secret="s" * 32), id="hmac-with-rsa"),
        pytest.param(
            IssuerSettings(
                issuer="x", jwks_url="https://a/b", algorithms=("RS256", "HS256")
            ),
            id="rsa-with-hmac",
        ),
        pytest.param(
            IssuerSettings(issuer="x", jwks_url="https://a/b", algorithms=("none",)),
            id="none",
        ),
        pytest.param(
            IssuerSettings(issuer="x", secret="s" * 31, algorithms=("HS256",)),
            id="short-secret",
        ),
        pytest.param(
            IssuerSettings(issuer="x", jwks_url="http://login.example/keys"),
            id="plain-http",
        ),
        pytest.param(
            IssuerSettings(issuer="x", jwks_url="file:///keys"), id="not-http"
        ),
        pytest.param(IssuerSettings(issuer="", secret="s" * 32), id="no-name"),
    ],
)
def test_wrong_settings_are_told_at_once(issuer):
    with pytest.raises(ConfigurationError):
        Authenticator(AuthSettings(issuers=(issuer,)))


@pytest.mark.parametrize("text", [b"", b"nothing", b"-----BEGIN PUBLIC KEY-----\nAA=="])
def test_a_key_file_without_keys_is_told_at_once(text, tmp_path):
    path = tmp_path / "key.pem"
    path.write_bytes(text)

    with pytest.raises(ConfigurationError, match="cannot be read"):
        Authenticator(
            AuthSettings(issuers=(IssuerSettings(issuer="x", key_file=path),))
        )
