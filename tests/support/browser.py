"""A browser tab, and what it does behind the user's back."""

import shutil
from dataclasses import dataclass, field

from playwright.async_api import ConsoleMessage, Page, Request

__all__ = ["ARGUMENTS", "CHROMIUM", "TIMEOUT_MS", "Visit"]

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    None,
)
TIMEOUT_MS = 30_000
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Visit:
    """One browser tab, and what it did behind the user's back."""

    page: Page
    requests: list[Request] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.page.on("request", self._see)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def foreign_requests(self, home: str) -> list[str]:
        return [
            request.url
            for request in self.requests
            if not request.url.startswith((f"{home}/", "data:", "blob:"))
        ]

    def _see(self, request: Request) -> None:
        self.requests.append(request)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text}")
