"""Read and change users."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from backends.data.database import from_epoch, like_pattern, to_json_list
from backends.data.pages import Page, cut_page, number_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

__all__ = ["Address", "EmailTakenError", "User", "UserRepository"]

_GET_MANY = """
SELECT users.* FROM json_each(?) AS asked JOIN users ON users.id = asked.value
GROUP BY users.id ORDER BY min(asked.key)
"""
_PAGE = r"""
SELECT * FROM users
WHERE number > :after AND
  (:search = '' OR name LIKE :pattern ESCAPE '\' OR email LIKE :pattern ESCAPE '\')
ORDER BY number LIMIT :limit
"""
_COUNT = r"""
SELECT count(*) FROM users
WHERE :search = '' OR name LIKE :pattern ESCAPE '\' OR email LIKE :pattern ESCAPE '\'
"""
_UPDATE = "UPDATE users SET name = ?, email = ?, bio = ? WHERE id = ?"


class EmailTakenError(Exception):
    """Another user has this e-mail address."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a user's parcels go."""

    street: str
    city: str
    postal_code: str
    country: str


@dataclass(frozen=True, slots=True)
class User:
    """One user, as the service answers it."""

    id: str
    name: str
    email: str
    phone: str | None
    bio: str | None
    address: Address
    created_at: datetime


class UserRepository:
    """The users of one database."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def get(self, user_id: str) -> User | None:
        """Find one user."""
        return next(iter(self.get_many([user_id])), None)

    def get_many(self, user_ids: Iterable[str]) -> list[User]:
        """Find users, each once, in the ids' order, but the unknown ones."""
        rows = self._connection.execute(_GET_MANY, [to_json_list(user_ids)])
        return [_to_user(row) for row in rows]

    def page(
        self, *, limit: int, after: str | None = None, search: str = ""
    ) -> Page[User]:
        """List users by number, those whose name or e-mail contains ``search``.

        Raises:
            InvalidCursorError: If ``after`` does not look like a user's id.
        """
        parameters = {
            "after": 0 if after is None else number_of(after, "u"),
            "search": search,
            "pattern": like_pattern(search),
            "limit": limit + 1,
        }
        rows = self._connection.execute(_PAGE, parameters)
        total = self._connection.execute(_COUNT, parameters).fetchone()[0]
        return cut_page([_to_user(row) for row in rows], limit, total)

    def update(self, user_id: str, changes: Mapping[str, Any]) -> User | None:
        """Change ``name``, ``email`` or ``bio`` of a user, if there is one.

        Raises:
            EmailTakenError: If another user has the new e-mail address.
        """
        user = self.get(user_id)
        if user is None:
            return None
        user = replace(user, **changes)
        try:
            self._connection.execute(
                _UPDATE, [user.name, user.email, user.bio, user.id]
            )
        except sqlite3.IntegrityError as error:
            raise EmailTakenError(user.email) from error
        return user


def _to_user(row: sqlite3.Row) -> User:
    return User(
        id=row["id"],
        name=row["name"],
        email=row["email"],
        phone=row["phone"],
        bio=row["bio"],
        address=Address(row["street"], row["city"], row["postal_code"], row["country"]),
        created_at=from_epoch(row["created_at"]),
    )
