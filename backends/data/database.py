"""Open a seeded database, and the few things that all repositories need from one."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import orjson

from backends.data.schema import SCHEMA, SCHEMA_VERSION
from backends.data.seed import seed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = [
    "from_epoch",
    "like_pattern",
    "next_number",
    "open_database",
    "to_json_list",
    "transaction",
    "user_exists",
]


def open_database(path: Path | None = None) -> sqlite3.Connection:
    """Open the database, creating and seeding it where it is new.

    Args:
        path: The database file; without one the database lives in memory and ends
            with the connection.

    Returns:
        A connection in autocommit mode, for one thread; the caller closes it.

    Raises:
        ValueError: If the file holds another version of the schema.
        sqlite3.DatabaseError: If the file is something else than a database.
    """
    connection = sqlite3.connect(path or ":memory:", isolation_level=None)
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        with transaction(connection):  # a second process waits here, then finds it done
            _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == SCHEMA_VERSION:
        return
    if version != 0:
        raise ValueError(
            f"the database has schema version {version}, not {SCHEMA_VERSION}:"
            " delete the file to have it made anew"
        )
    for statement in SCHEMA.split(";"):
        connection.execute(statement)
    seed(connection)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit everything that the block does, or nothing of it if it raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def from_epoch(seconds: int) -> datetime:
    """Turn stored seconds into a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def to_json_list(values: Iterable[str]) -> str:
    """Print values for ``IN (SELECT value FROM json_each(?))``.

    One bound parameter carries any number of values, so the statement's text is fixed.
    """
    return orjson.dumps(list(values)).decode()


def like_pattern(text: str) -> str:
    r"""Build the pattern that finds ``text`` anywhere, for ``LIKE ? ESCAPE '\'``."""
    for special in "\\%_":
        text = text.replace(special, f"\\{special}")
    return f"%{text}%"


def next_number(
    connection: sqlite3.Connection, table: Literal["orders", "notifications"]
) -> int:
    """Count up from the last row of ``table``; call it inside a transaction."""
    last = connection.execute(f"SELECT max(number) FROM {table}")  # noqa: S608 - our name
    return int(last.fetchone()[0]) + 1


def user_exists(connection: sqlite3.Connection, user_id: str) -> bool:
    """Tell whether there is a user with this id."""
    rows = connection.execute("SELECT 1 FROM users WHERE id = ?", [user_id])
    return rows.fetchone() is not None
