"""Golden cases: subgraphs in, the supergraph or the problems out.

Each folder of ``composition`` holds one ``.graphql`` file per subgraph and what is
expected of them: ``supergraph.graphql``, less what the join specification defines, or
``errors.txt``; and ``hints.txt`` where there are any. ``UPDATE_CASES=1`` rewrites the
expectations.
"""

import os
from pathlib import Path

import pytest

from graphgw.composition.compose import compose
from graphgw.composition.subgraph import SubgraphSDL
from graphgw.errors import CompositionError
from graphgw.federation.print_header import JOIN_DEFINITIONS
from graphgw.federation.print_supergraph import print_supergraph

CASES = sorted(path for path in (Path(__file__).parent / "composition").iterdir())
RESULTS = ("supergraph.graphql", "errors.txt", "hints.txt")


def subgraphs_of(case):
    return [
        SubgraphSDL(file.stem, f"http://{file.stem}/graphql", file.read_text())
        for file in sorted(case.glob("*.graphql"))
        if file.name not in RESULTS
    ]


def results_of(subgraphs):
    try:
        composed = compose(subgraphs)
    except CompositionError as error:
        return {"errors.txt": f"{error}\n"}
    sdl = composed.supergraph.sdl
    assert print_supergraph(composed.supergraph) == sdl
    own = [block for block in sdl.split("\n\n") if block not in JOIN_DEFINITIONS]
    results = {"supergraph.graphql": "\n\n".join(own)}
    if composed.hints:
        results["hints.txt"] = "".join(f"{hint}\n" for hint in composed.hints)
    return results


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_composition(case):
    actual = results_of(subgraphs_of(case))

    if os.environ.get("UPDATE_CASES"):
        for name in RESULTS:
            (case / name).unlink(missing_ok=True)
        for name, text in actual.items():
            (case / name).write_text(text)
    expected = {
        name: (case / name).read_text() for name in RESULTS if (case / name).exists()
    }
    assert actual == expected


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_the_order_of_subgraphs_does_not_matter(case):
    subgraphs = subgraphs_of(case)

    assert results_of(subgraphs[::-1]) == results_of(subgraphs)
