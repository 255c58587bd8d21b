"""What registration refuses: every problem at once."""

import pytest
import strawberry
from strawberry.federation.schema_directives import Key

from graphgw import (
    ConfigurationError,
    Subgraph,
    batched,
    by,
    computed,
    embedded,
    reference,
    resolved,
    sourced,
)


def refusal_of(name="bad", **options):
    with pytest.raises(ConfigurationError) as refusal:
        Subgraph(name, **options)
    return [(p.where, p.message) for p in refusal.value.problems]


async def load(keys, _context):
    return keys


async def find(_context):
    return None


@strawberry.type
class Query:
    ok: str | None = resolved(find)


def test_an_entity_without_loader_has_nothing_but_its_representation():
    @strawberry.federation.type(keys=["id"])
    class User:
        id: strawberry.ID
        zone: str = strawberry.federation.field(external=True)
        note: str = batched(load, key=("id", "zone"), requires=["zone"])
        both: str = computed("{}{}".format, reads=("id", "zone"))
        me: "User" = reference(id="id")
        answer: str | None = resolved(find)
        name: str
        alias: str = sourced("nick")
        lost: str = batched(load, key="nowhere")

        @strawberry.field
        def method(self) -> str:
            return ""

    globals()["User"] = User

    assert refusal_of(query=Query, types=[User]) == [
        ("User.name", "User has no loader, and name is not in its key"),
        ("User.alias", "User has no loader, and alias is not in its key"),
        ("User.lost", "nowhere is no key or external field of User"),
        ("User.method", "User has no loader, and method is not in its key"),
    ]


def test_an_entity_that_cannot_be_entered_needs_no_loader():
    @strawberry.federation.type(keys=[Key(fields="id", resolvable=False)])
    class User:
        id: strawberry.ID
        name: str

    assert Subgraph("users", query=Query, types=[User]).name == "users"


def test_functions_of_the_wrong_form_are_named_with_the_right_one():
    def not_async(keys, _context):
        return keys

    async def no_context(keys):
        return keys

    async def endless(_context):
        yield 1

    async def two_values(first, second):
        return first, second

    @strawberry.type
    class Thing:
        id: strawberry.ID
        a: str = batched(not_async, key="id")
        b: str = batched(no_context, key="id")
        c: str = computed(two_values, reads=("id", "id", "id"))

    async def things(_keys, _context):
        return []

    @strawberry.type
    class Wrong:
        thing: Thing = resolved(things)
        stream: int = resolved(endless)

    @strawberry.type
    class Subscription:
        value: int = resolved(find)

    found = refusal_of(query=Wrong, subscription=Subscription)

    assert sorted(found) == [
        ("Query.stream", '"endless" must be a coroutine here'),
        ("Query.thing", '"things" is no resolver'),
        ("Subscription.value", '"find" must be an async generator here'),
        ("Thing.a", '"not_async" is no batch function'),
        ("Thing.b", '"no_context" is no batch function'),
        ("Thing.c", '"two_values" does not take 3 values'),
    ]


def test_problems_say_how_to_mend_them():
    @strawberry.type
    class Wrong:
        thing: int = resolved(lambda: 1)

    with pytest.raises(ConfigurationError, match="write async def"):
        Subgraph("bad", query=Wrong)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        pytest.param("sku", '"sku" is no key of User', id="undeclared"),
        pytest.param("{", '"{" is no field set', id="no-field-set"),
    ],
)
def test_a_loader_loads_by_a_declared_key(key, message):
    @strawberry.federation.type(keys=["id"])
    class User:
        id: strawberry.ID
        sku: str

    found = refusal_of(query=Query, entities={User: by(key, load)})

    assert found == [("User", message)]


def test_a_reference_gives_a_whole_key():
    @strawberry.federation.type(keys=["id", "sku zone"])
    class Product:
        id: strawberry.ID
        sku: str = strawberry.federation.field(external=True)
        zone: str = strawberry.federation.field(external=True)

    @strawberry.type
    class Plain:
        id: strawberry.ID

    @strawberry.type
    class Line:
        one: Product = reference(id="product_id")
        two: Product = reference(sku="sku", zone="zone")
        part: Product = reference(sku="sku")
        plain: Plain = reference(id="plain_id")

    @strawberry.type
    class Lines:
        line: Line | None = resolved(find)

    assert refusal_of(query=Lines) == [
        ("Line.part", "['sku'] is no key of Product"),
        ("Line.plain", "['id'] is no key of Plain"),
    ]


def test_an_embedded_object_has_a_part_for_all_that_is_never_null():
    @strawberry.type
    class Money:
        cents: int
        currency: str = sourced("iso")
        note: str | None
        shown: str = computed("{}".format, reads=("cents",))

    @strawberry.type
    class Order:
        whole: Money = embedded(cents="total", constants={"iso": "EUR"})
        half: Money = embedded(cents="total", currency="currency")
        number: int = embedded(cents="total")

    globals()["Money"] = Money

    @strawberry.type
    class Query:
        order: Order | None = resolved(find)

    assert refusal_of(query=Query) == [
        ("Order.half", "Money.currency is never null, and has no part"),
        ("Order.number", "only objects can be embedded; Int is none"),
    ]


def test_what_strawberry_refuses_names_the_subgraph():
    @strawberry.type
    class Wrong:
        thing: "Nowhere"  # noqa: F821 - the mistake

    ((where, message),) = refusal_of("shop", query=Wrong)

    assert where == "subgraph shop"
    assert "thing" in message


def test_a_root_field_is_answered_by_something():
    @strawberry.type
    class Forgotten:
        version: str

    assert refusal_of(query=Forgotten) == [
        ("Query.version", "nothing answers this field")
    ]


def test_what_strawberry_would_run_and_programs_do_not_is_refused():
    found = refusal_of(query=Query, extensions=[object], exception_handlers=[])

    assert found == [
        ("subgraph bad", '"exception_handlers" has no effect here'),
        ("subgraph bad", '"extensions" has no effect here'),
    ]
