import httpx
import pytest

from backends.calls import CallLog
from backends.rest import serve_rest
from backends.user.app import create_app


@pytest.fixture
async def client(connection):
    app = create_app(connection, CallLog())
    async with (
        serve_rest(app, "127.0.0.1", 0) as url,
        httpx.AsyncClient(base_url=url) as opened,
    ):
        yield opened


async def test_a_user_is_answered_as_json(client):
    answer = await client.get("/users/u1")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "id": "u1",
        "name": "Ivan Silva",
        "email": "ivan.silva@example.org",
        "phone": "+49 30 555 3153",
        "bio": None,
        "address": {
            "street": "Willow Way 95",
            "city": "Copenhagen",
            "postal_code": "2171",
            "country": "DK",
        },
        "created_at": "2022-01-01T07:06:18Z",
    }


async def test_an_unknown_user_is_a_problem(client):
    answer = await client.get("/users/u9999")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": 'There is no user "u9999".',
    }


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/elsewhere", 404, id="no-such-path"),
        pytest.param("DELETE", "/users/u1", 405, id="no-such-method"),
    ],
)
async def test_what_is_not_served_is_a_problem(client, method, path, status):
    answer = await client.request(method, path)

    assert answer.status_code == status
    assert answer.json()["status"] == status


async def test_a_batch_keeps_the_order_and_leaves_out_the_unknown(client):
    answer = await client.get("/users", params={"ids": "u3,u9999,u1,u3"})

    body = answer.json()
    assert [user["id"] for user in body.pop("items")] == ["u3", "u1"]
    assert body == {"next_cursor": None, "has_more": False, "total": 2}


async def test_an_empty_batch_is_answered(client):
    answer = await client.get("/users?ids=")

    assert answer.json()["items"] == []


async def test_pages_follow_each_other(client):
    one = (await client.get("/users?limit=2")).json()
    two = (await client.get(f"/users?limit=2&after={one['next_cursor']}")).json()
    end = (await client.get("/users?limit=2&after=u998")).json()

    assert [user["id"] for user in one["items"]] == ["u1", "u2"]
    assert (one["has_more"], one["total"]) == (True, 1000)
    assert [user["id"] for user in two["items"]] == ["u3", "u4"]
    assert (end["has_more"], end["next_cursor"]) == (False, None)


async def test_search_looks_into_names_and_addresses(client):
    body = (await client.get("/users?search=SILVA&limit=1000")).json()

    assert body["items"]
    assert body["total"] == len(body["items"])
    assert all("silva" in user["email"] for user in body["items"])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        pytest.param("limit=-1", "limit", id="negative-limit"),
        pytest.param("limit=1001", "limit", id="large-limit"),
        pytest.param("limit=many", "limit", id="limit-is-no-number"),
        pytest.param("after=p1", "after", id="foreign-cursor"),
        pytest.param("limt=1", "limt", id="unknown-parameter"),
        pytest.param("ids=u1&limit=1", "limit", id="batch-with-limit"),
        pytest.param("ids=" + "u1," * 1001, "ids", id="large-batch"),
    ],
)
async def test_a_wrong_parameter_is_named(client, query, field):
    answer = await client.get(f"/users?{query}")

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_a_profile_is_changed(client):
    changes = {"name": " Ada ", "email": "ada@example.com", "bio": None}

    answer = await client.patch("/users/u1", json=changes)

    assert answer.status_code == 200
    expected = {"id": "u1", "name": "Ada", "email": "ada@example.com", "bio": None}
    assert expected.items() <= answer.json().items()
    assert (await client.get("/users/u1")).json() == answer.json()


async def test_every_wrong_field_of_a_profile_is_named(client):
    changes = {"name": "", "email": "nowhere", "bio": "b" * 501, "id": "u2"}

    answer = await client.patch("/users/u1", json=changes)

    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"field": "name", "message": "has to be 1 to 100 characters"},
        {"field": "email", "message": "is not an e-mail address"},
        {"field": "bio", "message": "has to be null or at most 500 characters"},
        {"field": "id", "message": "cannot be changed"},
    ]


async def test_the_address_of_another_user_is_refused(client):
    taken = (await client.get("/users/u2")).json()["email"]

    answer = await client.patch("/users/u1", json={"email": taken})

    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"field": "email", "message": "belongs to another user"}
    ]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"{", 400, id="no-json"),
        pytest.param(b"[]", 422, id="no-object"),
    ],
)
async def test_a_body_that_is_no_profile_is_refused(client, body, status):
    answer = await client.patch("/users/u1", content=body)

    assert answer.status_code == status


async def test_the_profile_of_an_unknown_user_cannot_be_changed(client):
    answer = await client.patch("/users/u9999", json={"name": "Ada"})

    assert answer.status_code == 404


async def test_calls_and_their_keys_are_counted(client):
    await client.get("/users?ids=u1,u2")
    await client.get("/users?ids=u3", headers={"x-request-timeout-ms": "1500"})
    await client.get("/users/u1")
    await client.get("/users?search=ada")
    await client.get("/health")

    counted = (await client.get("/_calls")).json()

    assert {name: (c["calls"], c["keys"]) for name, c in counted.items()} == {
        "GET /users?ids": (2, 3),
        "GET /users/{id}": (1, 1),
        "GET /users?search": (1, 0),
    }
    batches = counted["GET /users?ids"]
    assert (batches["with_deadline"], batches["last_timeout_ms"]) == (1, 1500)
    assert batches["last_headers"]["x-request-timeout-ms"] == "1500"


async def test_counts_are_reset(client):
    await client.get("/users/u1")

    answer = await client.delete("/_calls")

    assert answer.status_code == 204
    assert (await client.get("/_calls")).json() == {}


async def test_health_is_answered(client):
    assert (await client.get("/health")).json() == {"status": "ok"}
