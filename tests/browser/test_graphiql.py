"""GraphiQL as a frontend developer meets it: a real browser on a running gateway."""

import re
from pathlib import Path

import pytest
from support.browser import Visit


async def read_examples(visit: Visit, home: str) -> list[dict]:
    response = await visit.page.request.get(f"{home}/graphiql/config.json")
    assert response.ok
    return (await response.json())["tabs"]


async def open_graphiql(visit: Visit, url: str):
    response = await visit.page.goto(url)
    await visit.page.wait_for_selector(".graphiql-query-editor .view-line")
    await visit.page.wait_for_selector(".graphiql-execute-button")
    return response


async def run_example(visit: Visit, examples: list[dict]) -> None:
    """Choose the first example that is a query, and click Run."""
    name = next(
        found[1] for tab in examples if (found := operation(tab)) and is_query(found)
    )
    await visit.page.click(f'.graphiql-tab-button:text-is("{name}")')
    await visit.page.click(".graphiql-execute-button")
    await visit.page.wait_for_function(
        """() => document.querySelector('.graphiql-response .view-lines')
                 ?.textContent.includes('"data"')"""
    )


def operation(tab: dict) -> tuple[str, str] | None:
    """Read an example's operation type and name."""
    found = re.search(
        r"^(query|mutation|subscription)\s+(\w+)", tab["query"], re.MULTILINE
    )
    return (found[1], found[2]) if found else None


def is_query(found: tuple[str, str]) -> bool:
    return found[0] == "query"


@pytest.mark.parametrize(
    "path", [pytest.param("/", id="root"), pytest.param("/graphql", id="endpoint")]
)
async def test_an_example_runs_with_one_click_and_nothing_leaves_the_gateway(
    gateway, visit, path, tmp_path: Path
):
    examples = await read_examples(visit, gateway.url)

    await open_graphiql(visit, gateway.url + path)
    await run_example(visit, examples)
    await visit.page.screenshot(path=tmp_path / "graphiql.png")

    shown = await visit.page.inner_text(".graphiql-response")
    assert '"data"' in shown
    assert '"errors"' not in shown
    assert visit.foreign_requests(gateway.url) == []
    assert visit.complaints == []


async def test_every_example_operation_has_its_tab(gateway, visit):
    examples = await read_examples(visit, gateway.url)

    await open_graphiql(visit, f"{gateway.url}/")
    await visit.page.wait_for_selector(".graphiql-tab")
    tabs = await visit.page.locator(".graphiql-tab").all_inner_texts()

    names = [found[1] for tab in examples if (found := operation(tab))]
    assert names != []
    assert [name.strip() for name in tabs] == names


async def test_a_variant_has_a_page_of_its_own_with_the_examples_that_fit(
    gateway, visit
):
    whole = await read_examples(visit, gateway.url)

    await open_graphiql(visit, f"{gateway.url}/mobile/graphql")
    await visit.page.wait_for_selector(".graphiql-tab")
    tabs = await visit.page.locator(".graphiql-tab").all_inner_texts()
    fitting = [tab for tab in whole if "ProductCard" in tab["query"]]
    await run_example(visit, fitting)

    assert [name.strip() for name in tabs] == [operation(tab)[1] for tab in fitting]
    shown = await visit.page.inner_text(".graphiql-response")
    assert '"errors"' not in shown
    asked = {request.url for request in visit.requests if request.method == "POST"}
    assert asked == {f"{gateway.url}/mobile/graphql"}
    assert visit.complaints == []


async def test_the_page_may_load_nothing_but_the_gateways_own_files(gateway, visit):
    response = await open_graphiql(visit, f"{gateway.url}/")

    policy = response.headers["content-security-policy"].split("; ")
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "connect-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy


async def test_the_query_plan_is_asked_for_and_shown_while_its_panel_is_open(
    gateway, visit, tmp_path: Path
):
    examples = await read_examples(visit, gateway.url)
    await open_graphiql(visit, f"{gateway.url}/")

    await visit.page.get_by_role("button", name="Show Query plan").click()
    await visit.page.wait_for_selector(".query-plan")
    await run_example(visit, examples)
    await visit.page.wait_for_selector(".query-plan pre")
    await visit.page.screenshot(path=tmp_path / "query-plan.png")

    assert "QueryPlan" in await visit.page.inner_text(".query-plan pre")
    asked = [r for r in visit.requests if "apollo-expose-query-plan" in r.headers]
    assert len(asked) == 1
    assert visit.complaints == []
