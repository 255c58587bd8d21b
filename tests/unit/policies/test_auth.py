"""Scopes, policies, addresses and modes of ``@authenticated`` and its kin."""

from __future__ import annotations

import asyncio

import pytest
from support.policies import ruled

from graphgw.errors import ConfigurationError
from graphgw.policies.settings import AddressSettings, AuthSettings
from graphgw.telemetry.events import SelectionRefused
from graphgw.types import Deadline, Principal

SDL = """
type Query {
  open: Int
  authenticated: Int @authenticated
  scoped: Int @requiresScopes(scopes: [["a", "b"], ["admin"]])
  nobody: Int @requiresScopes(scopes: [])
  office: Int @allowIps(cidrs: ["192.0.2.0/24", "2001:db8::/32"])
  policed(id: ID, tag: String = "none"): Int @policy(policies: [["yes", "no"], ["yes"]])
  barred: Int @policy(policies: [["yes", "no"]])
  unknown: Int @policy(policies: [["never_written"]])
  failing: Int @policy(policies: [["fails"]])
  slow: Int @policy(policies: [["waits"]])
  truthy: Int @policy(policies: [["truthy"]])
  both: Int @authenticated @policy(policies: [["yes"]])
  deep: Deep @policy(policies: [["no"]])
}
type Deep { inner: Int @policy(policies: [["yes"]]) }
"""


class Functions:
    """Policies in Python, and what they were asked."""

    def __init__(self):
        self.calls = []

    async def yes(self, _context, arguments):
        self.calls.append(("yes", dict(arguments)))
        return True

    async def no(self, _context, arguments):
        self.calls.append(("no", dict(arguments)))
        return False

    async def fails(self, _context, _arguments):
        raise RuntimeError("broken")

    async def waits(self, _context, _arguments):
        await asyncio.Event().wait()
        return True

    async def truthy(self, _context, _arguments):
        return "yes"

    def all(self):
        names = ("yes", "no", "fails", "waits", "truthy")
        return {name: getattr(self, name) for name in names}


@pytest.fixture
def functions():
    return Functions()


@pytest.fixture
def build(functions):
    def graph(sdl=SDL, **auth):
        settings = AuthSettings(policies=functions.all(), policy_timeout=0.05, **auth)
        return ruled(sdl, auth=settings)

    return graph


def scoped(*scopes):
    return Principal("u1", frozenset(scopes))


@pytest.mark.parametrize(
    ("field", "principal", "is_allowed"),
    [
        pytest.param("authenticated", Principal(), False, id="anonymous"),
        pytest.param("authenticated", Principal("u1"), True, id="subject"),
        pytest.param("authenticated", Principal(api_key="k"), True, id="api-key"),
        pytest.param("scoped", scoped(), False, id="no-scope"),
        pytest.param("scoped", scoped("a"), False, id="half-of-the-and"),
        pytest.param("scoped", scoped("a", "b", "c"), True, id="all-of-the-and"),
        pytest.param("scoped", scoped("admin"), True, id="the-other-or"),
        pytest.param("nobody", scoped("a", "admin"), False, id="no-alternative"),
        pytest.param("office", Principal(ip="192.0.2.7"), True, id="inside"),
        pytest.param("office", Principal(ip="2001:db8::7"), True, id="inside-v6"),
        pytest.param("office", Principal(ip="192.0.3.7"), False, id="outside"),
        pytest.param("office", Principal(), False, id="no-address"),
        pytest.param("policed", Principal(), True, id="policy-or"),
        pytest.param("barred", Principal(), False, id="policy-and"),
        pytest.param("unknown", Principal(), False, id="unknown-policy"),
        pytest.param("failing", Principal(), False, id="failing-policy"),
        pytest.param("slow", Principal(), False, id="late-policy"),
        pytest.param("truthy", Principal(), False, id="not-exactly-true"),
        pytest.param("both", Principal(), False, id="and-of-rules"),
        pytest.param("both", Principal("u1"), True, id="both-rules-hold"),
        pytest.param("open", Principal(), True, id="no-rule"),
    ],
)
async def test_a_caller_has_a_field_or_not(build, field, principal, is_allowed):
    query = f"{{ {field} }}"

    refused = await build().refused(query, principal)

    assert refused == ([] if is_allowed else [f"Query.{field}"])


async def test_a_policy_is_asked_once_for_equal_arguments(build, functions):
    graph = build()

    await graph.decide(
        'query ($i: ID) { a: policed(id: "1") b: policed(id: $i) c: policed }',
        variables={"i": "1"},
    )

    asked = [arguments for name, arguments in functions.calls if name == "yes"]
    assert asked == [{"id": "1", "tag": "none"}, {"tag": "none"}]


async def test_a_policy_within_a_refused_field_is_not_asked(build, functions):
    graph = build()

    assert await graph.refused("{ both deep { inner } }") == [
        "Query.both",
        "Query.deep",
    ]
    functions.calls.clear()
    await graph.decide("{ both }")
    assert functions.calls == []


async def test_policies_are_asked_at_the_same_time(build):
    graph = build()
    loop = asyncio.get_running_loop()
    began = loop.time()

    await graph.decide("{ a: slow b: failing c: slow }", deadline=Deadline.after(10))

    assert loop.time() - began < 1


async def test_a_policy_has_no_more_time_than_the_request(functions):
    settings = AuthSettings(policies=functions.all(), policy_timeout=60)
    graph = ruled(SDL, auth=settings)

    decision = await graph.decide("{ slow }", deadline=Deadline.after(0.02))

    assert len(decision.refusals) == 1


@pytest.mark.parametrize(
    ("principal", "status", "code"),
    [
        pytest.param(Principal(), 401, "UNAUTHENTICATED", id="anonymous"),
        pytest.param(
            Principal("u1"), 403, "UNAUTHORIZED_FIELD_OR_TYPE", id="known-caller"
        ),
    ],
)
async def test_the_reject_mode_refuses_everything(build, principal, status, code):
    graph = build(mode="reject")

    decision = await graph.decide("{ open scoped }", principal)

    assert decision.refusal is not None
    assert (decision.refusal.status, decision.refusal.code) == (status, code)
    assert decision.refusal.extensions == {"coordinates": ["Query.scoped"]}


async def test_the_reject_mode_lets_pass_what_breaks_no_rule(build):
    decision = await build(mode="reject").decide("{ open }")

    assert decision.refusal is None


async def test_a_refusal_is_an_event(build):
    graph = build()

    await graph.decide("{ scoped open }")

    assert graph.recorder.events == [
        SelectionRefused("Query.scoped", "UNAUTHORIZED_FIELD_OR_TYPE")
    ]


async def test_a_shadow_rule_refuses_nothing_and_reports(build):
    graph = build(switch="shadow")

    assert await graph.refused("{ scoped office }") == ["Query.office"]

    assert graph.recorder.events == [
        SelectionRefused("Query.scoped", "UNAUTHORIZED_FIELD_OR_TYPE", is_shadow=True),
        SelectionRefused("Query.office", "UNAUTHORIZED_FIELD_OR_TYPE"),
    ]


async def test_a_rule_that_is_off_does_not_exist(build):
    graph = build(switch="off", addresses=AddressSettings(switch="off"))

    assert await graph.refused("{ scoped office policed }") == []

    assert graph.recorder.events == []


async def test_address_rules_have_a_switch_of_their_own(build):
    graph = build(addresses=AddressSettings(switch="off"))

    assert await graph.refused("{ authenticated office }") == ["Query.authenticated"]


async def test_policies_are_found_by_import_path():
    settings = AuthSettings(policies={"yes": "asyncio:sleep"})

    graph = ruled('type Query { x: Int @policy(policies: [["yes"]]) }', auth=settings)

    assert await graph.refused("{ x }") == ["Query.x"]


@pytest.mark.parametrize("path", ["no_such_module:f", "asyncio:no_such", "asyncio", ""])
def test_a_policy_that_cannot_be_imported_is_told_at_once(path):
    with pytest.raises(ConfigurationError) as caught:
        ruled("type Query { x: Int }", auth=AuthSettings(policies={"p": path}))

    assert caught.value.problems[0].where == "auth.policies.p"
