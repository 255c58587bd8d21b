"""Fixtures that prepare a fetch for a subgraph and run it."""

import pytest
from graphql import FieldNode, parse, print_ast

from graphgw.context import RequestContext
from graphgw.federation.selection import Argument, Field, Fragment
from graphgw.planning.plan import EntityInput, Fetch
from graphgw.subgraphs.loaders import RequestLoaders
from graphgw.types import Deadline


class Recorder:
    """Keeps every event."""

    def __init__(self):
        self.events = []

    def observe(self, event):
        self.events.append(event)

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]


def _convert(selection_set):
    return tuple(
        Field(
            node.name.value,
            node.alias.value if node.alias else None,
            tuple(
                Argument(a.name.value, print_ast(a.value)) for a in node.arguments or ()
            ),
            _convert(node.selection_set) if node.selection_set else (),
        )
        if isinstance(node, FieldNode)
        else Fragment(node.type_condition.name.value, _convert(node.selection_set))
        for node in selection_set.selections
    )


@pytest.fixture
def select():
    """Turn a selection set's text into selections."""

    def select(text):
        return _convert(parse(text).definitions[0].selection_set)

    return select


@pytest.fixture
def recorder():
    """Record the events of the contexts of this test."""
    return Recorder()


@pytest.fixture
def open_context(recorder):
    """Open a request's context with fresh loaders."""

    def open_context():
        context = RequestContext(
            deadline=Deadline.after(10), observer=recorder, request_id="r1"
        )
        return RequestLoaders.attach(context)

    return open_context


@pytest.fixture
def prepare(select):
    """Prepare a root fetch, or with ``keys`` by type an entity fetch."""

    def prepare(subgraph, text, *, kind="query", keys=None):
        inputs = tuple(
            EntityInput((name,), name, select(f"{{ {key} }}"))
            for name, key in (keys or {}).items()
        )
        return subgraph.prepare(Fetch(0, "G", kind, select(text), inputs=inputs), ())

    return prepare


@pytest.fixture
def ask(prepare, open_context):
    """Prepare a fetch and run it in a fresh context."""

    async def ask(subgraph, text, *, kind="query", variables=None):
        prepared = prepare(subgraph, text, kind=kind)
        return await prepared.run(open_context(), variables or {}, ())

    return ask


@pytest.fixture
def ask_entities(prepare, open_context):
    """Prepare an entity fetch and run it for representations in a fresh context."""

    async def ask_entities(subgraph, text, representations, *, keys, variables=None):
        prepared = prepare(subgraph, text, keys=keys)
        return await prepared.run(open_context(), variables or {}, representations)

    return ask_entities
