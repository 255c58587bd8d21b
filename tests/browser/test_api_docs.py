"""The page of the API as a developer meets it: a real browser on a running gateway."""

import json
from pathlib import Path

from support.browser import Visit

DASHBOARD = "#operations-operations-dashboard"
ANSWER = f"{DASHBOARD} .live-responses-table .response"


async def open_docs(visit: Visit, home: str) -> None:
    response = await visit.page.goto(f"{home}/docs")
    assert response is not None
    assert response.ok
    await visit.page.wait_for_selector(".opblock")


async def test_an_operation_runs_with_a_click_and_nothing_leaves_the_gateway(
    gateway, visit: Visit, tmp_path: Path
):
    page = visit.page

    await open_docs(visit, gateway.url)
    await page.click(f"{DASHBOARD} .opblock-summary-control")
    await page.fill(f'{DASHBOARD} tr[data-param-name="id"] input', "u7")
    await page.click(f"{DASHBOARD} .execute")
    await page.wait_for_selector(ANSWER)
    await page.screenshot(path=tmp_path / "docs.png")

    shown = await page.inner_text(f"{ANSWER} .highlight-code code >> nth=0")
    assert json.loads(shown)["id"] == "u7"
    assert visit.foreign_requests(gateway.url) == []
    assert visit.complaints == []


async def test_every_route_is_on_the_page(gateway, visit: Visit):
    document = await visit.page.request.get(f"{gateway.url}/openapi.json")
    paths = (await document.json())["paths"]

    await open_docs(visit, gateway.url)
    shown = await visit.page.locator(".opblock-summary-path").all_inner_texts()

    operations = [path for path, item in paths.items() for _ in item]
    assert sorted(text.replace("\u200b", "") for text in shown) == sorted(operations)
    assert await visit.page.title() == (await document.json())["info"]["title"]


async def test_a_token_that_is_given_once_is_sent_along(gateway, visit: Visit):
    page = visit.page

    await open_docs(visit, gateway.url)
    await page.click(".auth-wrapper .authorize")
    await page.fill("#auth-bearer-value", "a.b.c")
    await page.click(".auth-container .authorize >> nth=0")
    await page.click(".btn-done >> nth=0")
    await page.click(f"{DASHBOARD} .opblock-summary-control")
    await page.fill(f'{DASHBOARD} tr[data-param-name="id"] input', "u7")
    await page.click(f"{DASHBOARD} .execute")
    await page.wait_for_selector(ANSWER)

    (sent,) = [r for r in visit.requests if r.url.endswith("/dashboard?orders=3")]
    assert (await sent.all_headers())["authorization"] == "Bearer a.b.c"
    status = await page.inner_text(f"{ANSWER} .response-col_status")
    assert status.split()[0] == "401"
