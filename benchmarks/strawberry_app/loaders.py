"""Backends and data loaders, as a team writes them for Strawberry."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

import grpc.aio
import httpx
from strawberry.dataloader import DataLoader

from backends.protos import notification_pb2, order_pb2
from backends.protos.notification_pb2_grpc import NotificationServiceStub
from backends.protos.order_pb2_grpc import OrderServiceStub

__all__ = ["Backends", "Loaders"]


class Backends:
    """Connections, opened once for the process."""

    def __init__(self) -> None:
        limits = httpx.Limits(max_connections=100, max_keepalive_connections=100)
        self.users = httpx.AsyncClient(base_url=os.environ["USER_URL"], limits=limits)
        self.products = httpx.AsyncClient(
            base_url=os.environ["PRODUCT_URL"], limits=limits
        )
        self.orders = OrderServiceStub(_channel("ORDER_URL"))
        self.notifications = NotificationServiceStub(_channel("NOTIFICATION_URL"))


def _channel(variable: str) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(urlsplit(os.environ[variable]).netloc)


class Loaders:
    """One loader for each kind of key; fresh for each request."""

    def __init__(self, backends: Backends) -> None:
        self.backends = backends
        self.users: DataLoader[str, dict[str, Any] | None] = DataLoader(self._users)
        self.products: DataLoader[str, dict[str, Any] | None] = DataLoader(
            self._products
        )
        self.orders: DataLoader[str, order_pb2.UserOrders] = DataLoader(self._orders)
        self.notifications: DataLoader[str, notification_pb2.UserNotifications] = (
            DataLoader(self._notifications)
        )

    async def page(
        self, client: httpx.AsyncClient, path: str, first: int, after: str | None
    ) -> list[dict[str, Any]]:
        """Return a page of rows."""
        params = {"limit": str(first)}
        if after is not None:
            params["after"] = after
        response = await client.get(path, params=params)
        response.raise_for_status()
        rows: list[dict[str, Any]] = response.json()["items"]
        return rows

    async def _users(self, ids: list[str]) -> list[dict[str, Any] | None]:
        return await _by_ids(self.backends.users, "/users", ids)

    async def _products(self, ids: list[str]) -> list[dict[str, Any] | None]:
        return await _by_ids(self.backends.products, "/products", ids)

    async def _orders(self, user_ids: list[str]) -> list[order_pb2.UserOrders]:
        reply = await self.backends.orders.ListByUsers(
            order_pb2.ListByUsersRequest(user_ids=user_ids, first=5)
        )
        return list(reply.lists)

    async def _notifications(
        self, user_ids: list[str]
    ) -> list[notification_pb2.UserNotifications]:
        reply = await self.backends.notifications.ListByUsers(
            notification_pb2.ListByUsersRequest(user_ids=user_ids, first=3)
        )
        return list(reply.lists)


async def _by_ids(
    client: httpx.AsyncClient, path: str, ids: list[str]
) -> list[dict[str, Any] | None]:
    response = await client.get(path, params={"ids": ",".join(ids)})
    response.raise_for_status()
    found = {row["id"]: row for row in response.json()["items"]}
    return [found.get(row_id) for row_id in ids]
