from dataclasses import dataclass

import pytest
import strawberry

from graphgw import ConfigurationError, Subgraph, batched, resolved


@dataclass
class CatRow:
    name: str


@dataclass
class DogRow:
    name: str


@strawberry.interface
class Pet:
    name: str


@strawberry.type
class Cat(Pet):
    lives: int = 9


async def count_barks(names, _context):
    return [len(name) for name in names]


@strawberry.type
class Dog(Pet):
    barks: int = batched(count_barks, key="name")


@strawberry.interface
class Told:
    name: str

    @staticmethod
    def type_of(row):
        return {"c": TomCat, "r": "Rex"}.get(row["kind"])


@strawberry.type
class TomCat(Told):
    pass


@strawberry.type
class Rex(Told):
    pass


def serve(pets, **options):
    async def find_pets(_context):
        return pets

    @strawberry.type
    class Query:
        pets: list[Pet | None] = resolved(find_pets)
        any: list[Cat | Dog] | None = resolved(find_pets)

    return Subgraph("pets", query=Query, types=[Cat, Dog], **options)


TEXT = "{ __typename name ... on Cat { lives } ... on Dog { barks } }"
CAT = {"__typename": "Cat", "name": "tom", "lives": 9}
DOG = {"__typename": "Dog", "name": "rex", "barks": 3}


@pytest.mark.parametrize("field", ["pets", "any"])
@pytest.mark.parametrize(
    ("rows", "options"),
    [
        pytest.param(
            [
                {"__typename": "Dog", "name": "rex"},
                {"__typename": "Cat", "name": "tom", "lives": 9},
            ],
            {},
            id="typename",
        ),
        pytest.param([Dog(name="rex"), Cat(name="tom")], {}, id="strawberry"),
        pytest.param(
            [DogRow("rex"), {"__typename": "Cat", "name": "tom", "lives": 9}],
            {"rows": {DogRow: Dog}},
            id="row-class",
        ),
    ],
)
async def test_rows_tell_their_runtime_type(ask, field, rows, options):
    text = TEXT.replace("{ __typename name", "{ __typename ... on Pet { name }")

    result = await ask(serve(rows, **options), f"{{ {field} {text} }}")

    assert result.data == {field: [DOG, CAT]}
    assert result.errors == ()


async def test_an_interface_may_tell_the_type_of_its_rows(ask):
    async def find(_context):
        return [{"kind": "c", "name": "tom"}, {"kind": "r", "name": "rex"}]

    @strawberry.type
    class Query:
        told: list[Told] = resolved(find)

    subgraph = Subgraph("told", query=Query, types=[TomCat, Rex])
    result = await ask(subgraph, "{ told { __typename name } }")

    assert [pet["__typename"] for pet in result.data["told"]] == ["TomCat", "Rex"]


@pytest.mark.parametrize(
    "row",
    [
        pytest.param({"name": "x"}, id="untold"),
        pytest.param({"name": "x", "__typename": "Fish"}, id="unknown"),
        pytest.param({"name": "x", "__typename": "Query"}, id="impossible"),
        pytest.param(CatRow("x"), id="unnamed-class"),
    ],
)
async def test_a_row_without_runtime_type_is_an_error(ask, row):
    rows = [{"__typename": "Dog", "name": "rex"}, row]

    result = await ask(serve(rows), "{ pets { name } }")

    assert result.data == {"pets": [{"name": "rex"}, None]}
    (error,) = result.errors
    assert error.path == ("pets", 1)
    assert error.message == (
        "Abstract type 'Pet' must resolve to an Object type at runtime for field "
        "'Query.pets'."
    )


async def test_errors_below_an_abstract_type_have_their_paths(ask):
    rows = [
        {"__typename": "Cat", "name": "tom", "lives": "many"},
        {"__typename": "Dog", "name": "rex"},
        {"__typename": "Cat", "name": "kit", "lives": 9},
    ]

    result = await ask(serve(rows), f"{{ pets {TEXT} }}")

    assert result.data == {"pets": [None, DOG, CAT | {"name": "kit"}]}
    assert [e.path for e in result.errors] == [("pets", 0, "lives")]


def test_rows_of_a_class_that_tells_no_type_fail_at_registration():
    async def find(_context) -> list[CatRow | DogRow]:
        return []

    @strawberry.type
    class Query:
        pets: list[Pet] = resolved(find)

    with pytest.raises(ConfigurationError) as refusal:
        Subgraph("pets", query=Query, types=[Cat, Dog], rows={DogRow: Dog})

    (problem,) = refusal.value.problems
    assert problem.where == "Query.pets"
    assert problem.message == "rows of CatRow do not tell their type in Pet"
