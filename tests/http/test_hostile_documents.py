"""Documents that are written to exhaust a gateway, sent to a real process.

Each is answered with what is wrong, and a small query that is asked beside it all
the time never waits long. 250 ms are promised; the tests allow ten times as much.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from conftest import RunningGateway

RESPONSE = "application/graphql-response+json"
STALL_SECONDS = 2.5


def bomb(depth: int, width: int, end: str = "__typename") -> str:
    """Return fragments of which each spreads the next one ``width`` times."""
    fragments = [
        f"fragment F{i} on Query {{ {f' ...F{i + 1}' * width} }}" for i in range(depth)
    ]
    return f"{{ ...F0 }} {' '.join(fragments)} fragment F{depth} on Query {{ {end} }}"


def chain(length: int) -> str:
    fragments = [f"fragment F{i} on Query {{ ...F{i + 1} }}" for i in range(length)]
    last = f"fragment F{length} on Query {{ __typename }}"
    return f"{{ ...F0 }} {' '.join(fragments)} {last}"


def cycle(length: int) -> str:
    fragments = [
        f"fragment F{i} on Query {{ ...F{(i + 1) % length} }}" for i in range(length)
    ]
    return f"{{ ...F0 }} {' '.join(fragments)}"


def aliased_bomb(width: int, depth: int) -> str:
    """Return few aliases in the text that are ``width ** depth`` when expanded."""
    inner = [
        f"fragment F{i} on User {{ "
        + " ".join(
            f"a{j}: orders {{ nodes {{ user {{ ...F{i + 1} }} }} }}"
            for j in range(width)
        )
        + " }"
        for i in range(depth)
    ]
    return (
        'query { user(id: "u1") { ...F0 } } '
        + " ".join(inner)
        + f" fragment F{depth} on User {{ id }}"
    )


INLINE = " ".join(["... on Query { __typename }"] * 100)
DOCUMENTS = [
    pytest.param(bomb(30, 2), id="fragment-bomb-2-30"),
    pytest.param(
        bomb(30, 2, "users { nodes { id orders(first: 1) { nodes { id } } } }"),
        id="fragment-bomb-over-subgraphs",
    ),
    pytest.param(bomb(5, 100), id="wide-fragment-bomb"),
    pytest.param("{" + " ".join(["users(first: 1) { nodes { id } }"] * 2000) + "}",
                 id="copies-with-a-selection"),
    pytest.param("{" + f"... on Query {{ {INLINE} }} " * 200 + "}",
                 id="inline-fragments-200-100"),
    pytest.param("{" + "__typename " * 20_000 + "}", id="copies-of-a-field"),
    pytest.param("{ __typename " + "@aa " * 20_000 + "}", id="unknown-directives"),
    pytest.param("{ " + " ".join(f"a{i}: __typename" for i in range(10_000)) + " }",
                 id="aliases"),
    pytest.param("{" + "a{" * 1000 + "b" + "}" * 1000 + "}", id="selections-1000"),
    pytest.param("{" * 50_000, id="selections-50000"),
    pytest.param("{ a(b: " + "[" * 50_000 + ") }", id="lists-50000"),
    pytest.param("{ a(b: " + "{c:" * 50_000 + ") }", id="objects-50000"),
    pytest.param("query(" + "$a: " + "[" * 50_000 + ") { a }", id="types-50000"),
    pytest.param("{ " + "... { " * 50_000, id="inline-fragments-50000"),
    pytest.param("{ a(b: " + "[" * 1000 + "1" + "]" * 1000 + ") }", id="lists-1000"),
    pytest.param(chain(5000), id="fragment-chain-5000"),
    pytest.param(chain(400), id="fragment-chain-400"),
    pytest.param(cycle(2), id="fragment-cycle"),
    pytest.param(cycle(300), id="long-fragment-cycle"),
    pytest.param("{ ...A } fragment A on Query { ...A }", id="own-fragment"),
    pytest.param(aliased_bomb(20, 6), id="aliases-20-6"),
    pytest.param("{ user(id: " + "9" * 100_000 + ") { id } }", id="digits"),
    pytest.param("#" * 900_000, id="comment"),
    pytest.param("{" + "#\n" * 300_000 + "__typename}", id="comments"),
    pytest.param("query A { __typename } " * 5000, id="operations"),
]  # fmt: skip

HARMLESS = [
    pytest.param(bomb(12, 2), id="fragment-bomb-2-12"),
    pytest.param('{ user(id: "' + "\\u0041" * 100_000 + '") { id } }', id="escapes"),
    pytest.param(
        '{ user(id: """' + "\n " * 200_000 + '""") { id } }', id="lines-of-a-string"
    ),
    pytest.param("{ __typename " + " " * 1_000_000 + "}", id="spaces"),
]


class Canary:
    """Asks a small query again and again, and keeps the longest wait."""

    def __init__(self, url: str) -> None:
        self.longest = 0.0
        self.answers = 0
        self.failures: list[str] = []
        self._url = url
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Canary:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _ask(self) -> None:
        with httpx.Client(timeout=30) as client:
            while not self._ends.is_set():
                began = time.monotonic()
                answer = client.post(
                    f"{self._url}/graphql", json={"query": "{ canary: __typename }"}
                )
                self.longest = max(self.longest, time.monotonic() - began)
                self.answers += 1
                if answer.status_code != 200:
                    self.failures.append(answer.text)
                time.sleep(0.005)


@pytest.fixture(scope="module")
def ask(gateway: RunningGateway) -> Iterator[Callable[[str], httpx.Response]]:
    with httpx.Client(timeout=30) as client:

        def send(document: str) -> httpx.Response:
            return client.post(
                f"{gateway.url}/graphql",
                json={"query": document},
                headers={"accept": RESPONSE},
            )

        yield send


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_hostile_document_is_refused_and_stalls_nobody(
    gateway: RunningGateway, ask, document
):
    ask("{ canary: __typename }")
    with Canary(gateway.url) as canary:
        answer = ask(document)

    assert 400 <= answer.status_code < 500
    assert 1 <= len(answer.json()["errors"]) <= 11
    assert "data" not in answer.json()
    assert len(answer.content) < 20_000
    assert canary.failures == []
    assert canary.longest < STALL_SECONDS
    assert gateway.process.process.poll() is None


@pytest.mark.parametrize("document", HARMLESS)
def test_a_large_document_that_asks_for_little_stalls_nobody(
    gateway: RunningGateway, ask, document
):
    ask("{ canary: __typename }")
    with Canary(gateway.url) as canary:
        answer = ask(document)

    assert answer.status_code == 200
    assert canary.failures == []
    assert canary.longest < STALL_SECONDS


def test_many_hostile_documents_at_once_stall_nobody(gateway: RunningGateway, ask):
    def send(number: int) -> None:
        document = f"# {number}\n{DOCUMENTS[number % len(DOCUMENTS)].values[0]}"
        statuses.append(ask(document).status_code)

    statuses: list[int] = []
    threads = [threading.Thread(target=send, args=(i,)) for i in range(60)]
    with Canary(gateway.url) as canary:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(statuses) == 60
    assert all(400 <= status < 500 or status == 503 for status in statuses)
    assert canary.failures == []
    assert canary.longest < STALL_SECONDS
