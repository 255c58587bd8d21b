import hashlib
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest

from backends.data.database import open_database
from backends.data.notifications import NotificationRepository
from backends.data.orders import OrderRepository
from backends.data.pages import InvalidCursorError
from backends.data.products import ProductRepository
from backends.data.users import EmailTakenError, UserRepository

TABLES = ("users", "products", "orders", "order_items", "notifications")


def read_table(connection: sqlite3.Connection, table: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in connection.execute(f"SELECT * FROM {table}")]  # noqa: S608 - our names


def hash_rows(connection: sqlite3.Connection) -> str:
    rows = [read_table(connection, table) for table in TABLES]
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def test_two_databases_have_the_same_rows(connection):
    with closing(open_database()) as other:
        assert hash_rows(connection) == hash_rows(other)


def test_rows_are_the_same_on_every_machine(connection):
    assert (
        hash_rows(connection)
        == "d6a7043db69e99f65a09a271457e4615d288be1436d0ab4276333db676f9b50c"
    )


def test_the_tables_have_the_promised_sizes(connection):
    sizes = [len(read_table(connection, table)) for table in TABLES]

    assert sizes[:3] == [1000, 1000, 5000]
    assert sizes[4] == 3000


def test_orders_have_one_to_five_items(connection):
    counts = connection.execute(
        "SELECT DISTINCT count(*) FROM order_items GROUP BY order_id ORDER BY 1"
    )

    assert [row[0] for row in counts] == [1, 2, 3, 4, 5]


def test_products_are_in_twelve_categories_of_two_kinds(connection):
    rows = connection.execute("SELECT DISTINCT category, kind FROM products").fetchall()

    assert len(rows) == 12
    assert {row["kind"] for row in rows} == {"physical", "digital"}


def test_seeded_numbers_fit_a_graphql_int(connection):
    largest = connection.execute("SELECT max(size_bytes) FROM products").fetchone()[0]

    assert largest < 2**31


def test_a_database_file_keeps_its_changes(tmp_path):
    path = tmp_path / "shop.db"
    with closing(open_database(path)) as connection:
        UserRepository(connection).update("u1", {"name": "Ada"})

    with closing(open_database(path)) as connection:
        user = UserRepository(connection).get("u1")

    assert user is not None
    assert user.name == "Ada"


def test_a_file_of_another_schema_is_refused(tmp_path):
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")

    with pytest.raises(ValueError, match="schema version 99"):
        open_database(path)


def test_batches_keep_the_order_and_leave_out_the_unknown(connection):
    users = UserRepository(connection).get_many(["u3", "u9999", "u1", "u3"])

    assert [user.id for user in users] == ["u3", "u1"]


def test_pages_join_to_the_whole_list(connection):
    products = ProductRepository(connection)
    ids, after, more = [], None, True
    while more:
        page = products.page(limit=300, after=after)
        ids += [product.id for product in page.items]
        after, more = page.end_cursor, page.has_more

    assert ids == [f"p{number}" for number in range(1, 1001)]
    assert page.total == 1000


def test_an_empty_page_still_says_that_there_is_more(connection):
    page = UserRepository(connection).page(limit=0)

    assert (page.items, page.end_cursor, page.has_more) == ([], None, True)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("%", id="percent"),
        pytest.param("_", id="underscore"),
        pytest.param("\\", id="backslash"),
    ],
)
def test_search_takes_wildcards_as_text(connection, text):
    page = UserRepository(connection).page(limit=1, search=text)

    assert page.total == 0


def test_an_email_address_belongs_to_one_user(connection):
    users = UserRepository(connection)
    other = users.get("u2")
    assert other is not None

    with pytest.raises(EmailTakenError):
        users.update("u1", {"email": other.email.upper()})


@pytest.mark.parametrize("cursor", ["", "o", "u1", "o-1", "o1 ", "o٣", "o" + "9" * 19])
def test_something_else_than_an_id_is_no_cursor(connection, cursor):
    with pytest.raises(InvalidCursorError):
        OrderRepository(connection).pages_by_users(["u1"], first=1, after=cursor)


def test_orders_of_users_are_listed_newest_first(connection):
    pages = OrderRepository(connection).pages_by_users(["u2", "u1", "nobody"], first=99)

    assert list(pages) == ["u2", "u1", "nobody"]
    for user_id in ("u1", "u2"):
        times = [order.created_at for order in pages[user_id].items]
        assert times == sorted(times, reverse=True)
        assert {order.user_id for order in pages[user_id].items} == {user_id}
    assert pages["nobody"].total == 0


def test_a_refused_order_leaves_nothing_behind(connection):
    before = hash_rows(connection)

    with pytest.raises(Exception, match='no product "p0"'):
        OrderRepository(connection).create(
            "u1", {"p1": 1, "p0": 1}, None, datetime.now(UTC)
        )

    assert hash_rows(connection) == before


def test_notifications_about_orders_go_to_the_one_who_ordered(connection):
    rows = connection.execute(
        "SELECT count(*) FROM notifications AS n JOIN orders AS o ON o.id = n.order_id"
        " WHERE o.user_id != n.user_id OR n.created_at < o.created_at"
    )

    assert rows.fetchone()[0] == 0


def test_unread_notifications_are_counted_in_every_list(connection):
    notifications = NotificationRepository(connection)
    unread = notifications.lists_by_users(["u1"], first=0, unread_only=True)["u1"]
    every = notifications.lists_by_users(["u1"], first=99)["u1"]

    assert unread.unread_count == every.unread_count == unread.page.total
    assert unread.page.total == sum(not row.read for row in every.page.items)
