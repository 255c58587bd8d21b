"""Every rule by every way for every kind of caller: refused means null, and no call."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import HealthCheck, given, settings
from support.generate_operations import operations
from support.graphs import new_context
from support.guarded_graph import RULES, WAYS, GuardedGraph, compose_guarded, may, owns
from support.tokens import ISSUER, claims_at, private_key, public_pem, sign

from graphgw.errors import UnauthenticatedError
from graphgw.operations.operation import GraphQLRequest
from graphgw.operations.worker import ColdWorker
from graphgw.pipeline import serve
from graphgw.policies.authenticate.authenticator import Authenticator
from graphgw.policies.settings import (
    AddressSettings,
    AuthSettings,
    IssuerSettings,
    PolicySettings,
    RateLimitSettings,
)
from graphgw.types import Principal

ROW_RULES = ("owner", "rows")
INSIDE, OUTSIDE = "10.1.2.3", "192.0.2.1"


def token(*, key=None, **claims):
    return sign(claims_at(time.time(), **claims), key)


CALLERS = {
    "anonymous": (lambda: None, OUTSIDE),
    "wrong": (lambda: token(sub="u2", scope="other"), OUTSIDE),
    "right": (lambda: token(sub="u1", scope="read"), INSIDE),
    "expired": (lambda: token(sub="u1", scope="read", exp=1_000_000_000), INSIDE),
    "forged": (
        lambda: token(sub="u1", scope="read", key=private_key(name="another")),
        INSIDE,
    ),
}


def is_allowed(rule, caller):
    return caller == "right" or (caller == "wrong" and rule == "authenticated")


@pytest.fixture(scope="module")
def auth(tmp_path_factory):
    pem = tmp_path_factory.mktemp("keys") / "issuer.pem"
    pem.write_bytes(public_pem(private_key()))
    return AuthSettings(
        issuers=(IssuerSettings(issuer=ISSUER, key_file=pem),),
        policies={"may": may},
        row_policies={"owns": owns},
    )


SUPERGRAPHS = {
    name: compose_guarded(rule, is_row=name in ROW_RULES)
    for name, rule in RULES.items()
}
_GRAPHS: dict[str, GuardedGraph] = {}


def graph_of(rule, auth):
    # Frozen but for what was asked; made once, as there are hundreds of cells.
    if rule not in _GRAPHS:
        _GRAPHS[rule] = GuardedGraph(SUPERGRAPHS[rule], ColdWorker(), auth)
    graph = _GRAPHS[rule]
    graph.forget()
    return graph


CELLS = [
    pytest.param(rule, way, caller, id=f"{rule}-{way}-{caller}")
    for rule in RULES
    for way in WAYS
    for caller in CALLERS
    if WAYS[way].has_row or rule not in ROW_RULES
]


@pytest.mark.parametrize(("rule", "way", "caller"), CELLS)
async def test_a_rule_holds(rule, way, caller, auth):
    graph, found = graph_of(rule, auth), WAYS[way]
    make, ip = CALLERS[caller]
    credentials = make()
    headers = {"authorization": f"Bearer {credentials}"} if credentials else {}
    authenticator = Authenticator(auth)
    if caller in {"expired", "forged"}:
        with pytest.raises(UnauthenticatedError):
            await authenticator.authenticate(headers, ip)
        return
    principal = await authenticator.authenticate(headers, ip)

    response = await serve(
        graph.snapshot, GraphQLRequest(found.query), new_context(principal=principal)
    )

    body = response.encode().decode()
    if is_allowed(rule, caller):
        assert found.shows in body, body
        assert not response.errors
        return
    assert found.shows not in body
    assert set(response.error_codes) == {"UNAUTHORIZED_FIELD_OR_TYPE"}
    if rule == "rows" or (rule == "owner" and principal.subject is not None):
        # Decided by rows: what came in the same answer is dropped, no key goes on.
        assert not any("remote" in d or "derived" in d for d in graph.second.documents)
        return
    assert not [d for d in graph.documents if re.search(found.asks, d)]
    if way != "entity-beside-others":
        assert graph.second.documents == []


OFF = {
    "auth": {"switch": "off", "addresses": AddressSettings(switch="off")},
    "policies": PolicySettings(rate_limit=RateLimitSettings(switch="off")),
}


@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@pytest.mark.parametrize("rule", RULES)
@settings(
    max_examples=25,
    deadline=None,
    print_blob=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(drawn=operations(SUPERGRAPHS["owner"].api_schema, values={}, max_depth=4))
async def test_with_every_rule_off_answers_equal_those_without_rules(rule, drawn):
    text, variables = drawn
    off = AuthSettings(**OFF["auth"])
    answers = []
    for has_rules in (True, False):
        worker = ColdWorker()
        graph = GuardedGraph(
            SUPERGRAPHS[rule], worker, off, OFF["policies"], has_rules=has_rules
        )
        request = GraphQLRequest(text, None, variables)
        response = await serve(graph.snapshot, request, new_context())
        answers.append((response.encode(), response.status, graph.documents))
        await worker.aclose()

    assert answers[0] == answers[1]


@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@pytest.mark.parametrize("rule", ROW_RULES)
@settings(
    max_examples=40,
    deadline=None,
    print_blob=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(drawn=operations(SUPERGRAPHS["owner"].api_schema, values={}, max_depth=4))
async def test_row_rules_show_the_owner_everything_and_others_nothing(
    rule, drawn, auth
):
    text, variables = drawn
    worker = ColdWorker()
    ruled = GuardedGraph(SUPERGRAPHS[rule], worker, auth)
    plain = GuardedGraph(SUPERGRAPHS[rule], worker, auth, has_rules=False)
    request = GraphQLRequest(text, None, variables)
    owner = Principal("u1", frozenset({"read"}))

    expected = await serve(plain.snapshot, request, new_context())
    shown = await serve(ruled.snapshot, request, new_context(principal=owner))
    other = await serve(ruled.snapshot, request, new_context(principal=Principal("u2")))

    assert shown.data == expected.data
    assert b"S3CRET" not in other.encode()
    await worker.aclose()
