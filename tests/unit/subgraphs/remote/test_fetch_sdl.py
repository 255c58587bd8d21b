import pytest
from support.recording_transport import RecordingTransport

from graphgw.errors import SourceBadAnswerError
from graphgw.subgraphs.remote.fetch_sdl import fetch_sdl
from graphgw.types import Deadline


async def fetch(answer):
    transport = RecordingTransport(answer)
    return await fetch_sdl("users", "http://u.test", transport, Deadline.after(1))


async def test_the_sdl_is_asked_of_the_subgraph():
    assert await fetch({"data": {"_service": {"sdl": "type Query"}}}) == "type Query"


@pytest.mark.parametrize(
    "data", [{}, {"_service": None}, {"_service": {"sdl": 1}}, {"_service": []}]
)
async def test_a_server_that_is_no_federation_subgraph_is_refused(data):
    with pytest.raises(SourceBadAnswerError, match="_service"):
        await fetch({"data": data})


async def test_the_gateways_own_headers_are_sent():
    transport = RecordingTransport({"data": {"_service": {"sdl": "type Query"}}})

    await fetch_sdl(
        "users", "http://u.test", transport, Deadline.after(1), (("X-Key", "k"),)
    )

    assert ("x-key", "k") in transport.requests[0].headers
