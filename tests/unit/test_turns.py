"""Small operations take turns; large ones are done with one by one."""

from __future__ import annotations

import asyncio

import pytest
import strawberry

from graphgw import Subgraph
from graphgw.gateway import Gateway
from graphgw.telemetry.events import OperationFinished

ANSWERS = 3


@strawberry.type
class Note:
    """Something small."""

    text: str


class Steps:
    """What happened, in order."""

    def __init__(self):
        self.names = []

    def observe(self, event):
        if isinstance(event, OperationFinished):
            self.names.append("finished")


@pytest.fixture
async def opened():
    steps = Steps()

    def resolve_note() -> Note:
        steps.names.append("resolved")
        return Note(text="one")

    def resolve_notes() -> list[Note]:
        return [resolve_note()]

    @strawberry.type
    class Query:
        note: Note = strawberry.field(resolver=resolve_note)
        notes: list[Note] = strawberry.field(resolver=resolve_notes)

    subgraph = Subgraph("notes", query=Query)
    async with Gateway(subgraphs=[subgraph], observers=[steps]) as gateway:
        yield gateway, steps


async def run_at_once(opened, query):
    gateway, steps = opened
    await gateway.execute(query)  # so that the plan is there
    steps.names.clear()
    answers = await asyncio.gather(*(gateway.execute(query) for _ in range(ANSWERS)))
    assert not any(answer.errors for answer in answers)
    return steps.names


async def test_small_operations_do_one_stage_after_another_together(opened):
    steps = await run_at_once(opened, "{ note { text } }")

    assert steps == ["resolved"] * ANSWERS + ["finished"] * ANSWERS


async def test_what_may_be_large_is_finished_before_the_next_begins(opened):
    steps = await run_at_once(opened, "{ notes { text } }")

    assert steps == ["resolved", "finished"] * ANSWERS
