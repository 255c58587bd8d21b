"""Read, create and mark notifications."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from backends.data.database import (
    from_epoch,
    next_number,
    to_json_list,
    transaction,
    user_exists,
)
from backends.data.pages import Page, cut_page

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable
    from datetime import datetime

__all__ = [
    "NewNotification",
    "Notification",
    "NotificationList",
    "NotificationRepository",
    "UnknownUserError",
]

_GET_MANY = """
SELECT notifications.* FROM json_each(?) AS asked
JOIN notifications ON notifications.id = asked.value
GROUP BY notifications.id ORDER BY min(asked.key)
"""
_NEWEST_BY_USERS = """
SELECT * FROM (
  SELECT *, row_number() OVER (PARTITION BY user_id ORDER BY number DESC) AS place
  FROM notifications
  WHERE user_id IN (SELECT value FROM json_each(:users))
    AND (read = 0 OR NOT :unread_only)
)
WHERE place <= :limit ORDER BY user_id, place
"""
_COUNT_BY_USERS = """
SELECT user_id, count(*) AS total, sum(NOT read) AS unread FROM notifications
WHERE user_id IN (SELECT value FROM json_each(:users))
GROUP BY user_id
"""
_INSERT = """
INSERT INTO notifications
  (number, id, user_id, kind, title, body, order_id, created_at, read)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)
"""


class UnknownUserError(Exception):
    """A call names a user that does not exist."""


@dataclass(frozen=True, slots=True)
class NewNotification:
    """What the maker of a notification says."""

    user_id: str
    kind: str
    title: str
    body: str
    order_id: str | None = None


@dataclass(frozen=True, slots=True)
class Notification:
    """One notification."""

    id: str
    user_id: str
    kind: str
    title: str
    body: str
    order_id: str | None
    read: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NotificationList:
    """The newest notifications of a user."""

    page: Page[Notification]
    unread_count: int


class NotificationRepository:
    """The notifications of one database."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def get_many(self, notification_ids: Iterable[str]) -> list[Notification]:
        """Find notifications, each once, in the ids' order, but the unknown ones."""
        rows = self._connection.execute(_GET_MANY, [to_json_list(notification_ids)])
        return [_to_notification(row) for row in rows]

    def lists_by_users(
        self, user_ids: Iterable[str], *, first: int, unread_only: bool = False
    ) -> dict[str, NotificationList]:
        """List the newest ``first`` of each user; an unknown user has none."""
        asked = list(user_ids)
        parameters = {
            "users": to_json_list(asked),
            "unread_only": unread_only,
            "limit": first + 1,
        }
        found: dict[str, list[Notification]] = {user_id: [] for user_id in asked}
        for row in self._connection.execute(_NEWEST_BY_USERS, parameters):
            found[row["user_id"]].append(_to_notification(row))
        counts = {
            row["user_id"]: (row["total"], row["unread"])
            for row in self._connection.execute(_COUNT_BY_USERS, parameters)
        }
        lists = {}
        for user_id, notifications in found.items():
            total, unread = counts.get(user_id, (0, 0))
            page = cut_page(notifications, first, unread if unread_only else total)
            lists[user_id] = NotificationList(page, unread)
        return lists

    def create(self, new: NewNotification, created_at: datetime) -> Notification:
        """Add an unread notification.

        Raises:
            UnknownUserError: If there is no such user.
        """
        self.check_user(new.user_id)
        with transaction(self._connection):
            number = next_number(self._connection, "notifications")
            row_id = f"n{number}"
            row = (row_id, new.user_id, new.kind, new.title, new.body, new.order_id)
            seconds = int(created_at.timestamp())
            self._connection.execute(_INSERT, (number, *row, seconds))
        return self.get_many([row_id])[0]

    def mark_read(self, notification_id: str) -> Notification | None:
        """Mark one notification, and return it if there is one."""
        self._connection.execute(
            "UPDATE notifications SET read = 1 WHERE id = ?", [notification_id]
        )
        return next(iter(self.get_many([notification_id])), None)

    def mark_all_read(self, user_id: str) -> int:
        """Mark a user's notifications, and count those that were unread.

        Raises:
            UnknownUserError: If there is no such user.
        """
        self.check_user(user_id)
        marked = self._connection.execute(
            "UPDATE notifications SET read = 1 WHERE user_id = ? AND read = 0",
            [user_id],
        )
        return marked.rowcount

    def check_user(self, user_id: str) -> None:
        """Raise ``UnknownUserError`` unless there is such a user."""
        if not user_exists(self._connection, user_id):
            raise UnknownUserError(f'there is no user "{user_id}"')


def _to_notification(row: sqlite3.Row) -> Notification:
    return Notification(
        id=row["id"],
        user_id=row["user_id"],
        kind=row["kind"],
        title=row["title"],
        body=row["body"],
        order_id=row["order_id"],
        read=bool(row["read"]),
        created_at=from_epoch(row["created_at"]),
    )
