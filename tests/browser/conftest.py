"""A real browser for each test of a page."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import async_playwright
from support.browser import ARGUMENTS, CHROMIUM, TIMEOUT_MS, Visit


@pytest.fixture
async def visit() -> AsyncIterator[Visit]:
    if CHROMIUM is None:
        pytest.fail("there is no Chromium: `make test` installs it")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=ARGUMENTS
        )
        page = await browser.new_page(viewport={"width": 1400, "height": 800})
        page.set_default_timeout(TIMEOUT_MS)
        yield Visit(page)
        await browser.close()
