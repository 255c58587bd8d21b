import asyncio
import os
import shutil
from contextlib import asynccontextmanager

import pytest

from graphgw.errors import ConfigurationError, SupergraphUnavailableError
from graphgw.sources.sdl_source import SupergraphSettings, open_sdl_source

LOOK = 0.02


def open_file(path):
    settings = SupergraphSettings(location=str(path))
    return open_sdl_source(settings, look_seconds=LOOK)


@asynccontextmanager
async def following(source):
    """Give the changes of a source, one ``anext`` at a time."""
    changes = source.changes()
    try:
        yield lambda: asyncio.wait_for(anext(changes), 5)
    finally:
        await changes.aclose()


class Registry:
    """A web server of one document; keeps the headers that it was sent."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.seen: list[dict[str, str]] = []

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/supergraph"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = head.split("\r\n")[1:]
        self.seen.append(
            {
                name.lower(): value
                for name, _, value in (line.partition(": ") for line in lines if line)
            }
        )
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        status, headers, body = answer
        lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "connection: close", "", ""]).encode() + body)
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@pytest.fixture
async def registry():
    async with Registry() as found:
        yield found


def open_url(url, **options):
    options = {"poll_interval": 0.02, **options}
    return open_sdl_source(SupergraphSettings(location=url, **options))


# Files


async def test_a_file_is_read(tmp_path):
    path = tmp_path / "supergraph.graphql"
    path.write_text("one é")

    assert await open_file(path).read() == "one é"


async def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigurationError) as raised:
        await open_file(tmp_path / "none.graphql").read()

    assert not isinstance(raised.value, SupergraphUnavailableError)
    (problem,) = raised.value.problems
    assert problem.where == str(tmp_path / "none.graphql")
    assert "No such file" in problem.message


async def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "supergraph.graphql"
    path.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(ConfigurationError, match="cannot read"):
        await open_file(path).read()


def write_in_place(path, text):
    path.write_text(text)


def write_beside(path, text):
    beside = path.with_suffix(".new")
    beside.write_text(text)
    beside.replace(path)


@pytest.mark.parametrize("write", [write_in_place, write_beside])
async def test_a_written_file_is_a_change(tmp_path, write):
    path = tmp_path / "supergraph.graphql"
    path.write_text("one")
    source = open_file(path)
    await source.read()

    async with following(source) as change:
        write(path, "two")
        assert await change() == "two"
        write(path, "one")
        assert await change() == "one"


async def test_a_file_that_changed_before_it_was_followed_is_a_change(tmp_path):
    path = tmp_path / "supergraph.graphql"
    path.write_text("one")
    source = open_file(path)
    await source.read()
    path.write_text("two!")

    async with following(source) as change:
        assert await change() == "two!"


async def test_a_link_that_comes_to_point_elsewhere_is_a_change(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "supergraph.graphql").write_text(name)
    (tmp_path / "current").symlink_to("a")
    path = tmp_path / "supergraph.graphql"
    path.symlink_to("current/supergraph.graphql")
    source = open_file(path)
    await source.read()

    async with following(source) as change:
        (tmp_path / "next").symlink_to("b")
        (tmp_path / "next").rename(tmp_path / "current")
        shutil.rmtree(tmp_path / "a")
        assert await change() == "b"


async def test_a_file_still_being_written_is_waited_for(tmp_path):
    path = tmp_path / "supergraph.graphql"
    path.write_text("one")
    source = open_file(path)
    await source.read()

    async with following(source) as change:
        waiting = asyncio.ensure_future(change())
        with path.open("w") as file:
            for _ in range(20):
                file.write("part ")
                file.flush()
                await asyncio.sleep(LOOK / 4)
        assert await waiting == "part " * 20


async def test_a_file_touched_without_a_change_is_none(tmp_path):
    path = tmp_path / "supergraph.graphql"
    path.write_text("one")
    source = open_file(path)
    await source.read()

    async with following(source) as change:
        os.utime(path, (1, 1))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(change(), LOOK * 10)


async def test_a_removed_file_is_told_once_and_found_again(tmp_path):
    path = tmp_path / "supergraph.graphql"
    path.write_text("one")
    source = open_file(path)
    await source.read()

    async with following(source) as change:
        path.unlink()
        told = await change()
        assert isinstance(told, ConfigurationError)
        again = asyncio.ensure_future(change())
        await asyncio.sleep(LOOK * 5)
        assert not again.done()
        path.write_text("two")
        assert await again == "two"


# URLs


async def test_a_url_is_read_with_its_headers(registry):
    registry.answers = [(200, {}, b"sdl")]
    headers = (("X-Hive-CDN-Key", "secret"),)
    source = open_url(registry.url, headers=headers)

    assert await source.read() == "sdl"
    assert registry.seen[0]["x-hive-cdn-key"] == "secret"
    assert "secret" not in repr(SupergraphSettings(location="x", headers=headers))


async def test_a_known_entity_tag_is_sent_and_304_is_no_change(registry):
    registry.answers = [
        (200, {"etag": '"1"'}, b"one"),
        (304, {"etag": '"1"'}, b""),
        (304, {"etag": '"1"'}, b""),
        (200, {"etag": '"2"'}, b"two"),
        (304, {"etag": '"2"'}, b""),
    ]
    source = open_url(registry.url)
    await source.read()

    async with following(source) as change:
        assert await change() == "two"

    tags = [seen.get("if-none-match") for seen in registry.seen[:4]]
    assert tags == [None, '"1"', '"1"', '"1"']


async def test_equal_texts_are_no_change_without_entity_tags(registry):
    registry.answers = [(200, {}, b"one")] * 4 + [(200, {}, b"two")]
    source = open_url(registry.url)
    await source.read()

    async with following(source) as change:
        assert await change() == "two"
    assert len(registry.seen) == 5


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
async def test_a_server_that_fails_may_answer_later(registry, status):
    registry.answers = [(status, {}, b"")]

    with pytest.raises(SupergraphUnavailableError, match=f"it answered {status}"):
        await open_url(registry.url).read()


@pytest.mark.parametrize("status", [204, 302, 304, 401, 403, 404])
async def test_a_refusal_is_for_the_operator_to_mend(registry, status):
    registry.answers = [(status, {"location": "http://127.0.0.1:1/"}, b"")]

    with pytest.raises(ConfigurationError, match=f"it answered {status}") as raised:
        await open_url(registry.url).read()

    assert not isinstance(raised.value, SupergraphUnavailableError)
    assert len(registry.seen) == 1


async def test_a_server_that_is_down_may_come_up():
    async with Registry() as registry:
        url = registry.url

    with pytest.raises(SupergraphUnavailableError):
        await open_url(url).read()


@pytest.mark.parametrize(
    "location",
    [
        pytest.param("http://", id="no-host"),
        pytest.param("http://[::1", id="no-url"),
        pytest.param("http://127.0.0.1:port/", id="no-port"),
    ],
)
async def test_a_location_that_is_no_url_is_refused(location):
    with pytest.raises(ConfigurationError, match="cannot read the supergraph"):
        await open_url(location).read()


async def test_secrets_of_a_url_are_not_told(registry):
    registry.answers = [(404, {}, b"")]
    url = registry.url.replace("//", "//user:hidden@") + "?token=hidden"

    with pytest.raises(ConfigurationError) as raised:
        await open_url(url).read()

    assert "hidden" not in str(raised.value)


async def test_a_text_that_is_too_large_is_refused(registry):
    registry.answers = [(200, {}, b"x" * (32 * 1024 * 1024 + 1))]

    with pytest.raises(ConfigurationError, match="too large"):
        await open_url(registry.url).read()


async def test_a_failure_is_told_once_and_the_old_tag_is_kept(registry):
    registry.answers = [
        (200, {"etag": '"1"'}, b"one"),
        (500, {}, b""),
        (500, {}, b""),
        (404, {}, b""),
        (200, {"etag": '"2"'}, b"two"),
    ]
    source = open_url(registry.url)
    await source.read()

    async with following(source) as change:
        assert "answered 500" in str(await change())
        assert "answered 404" in str(await change())
        assert await change() == "two"
    assert registry.seen[4]["if-none-match"] == '"1"'


async def test_what_could_not_be_had_at_first_is_a_change_once_it_is_there(registry):
    registry.answers = [(503, {}, b""), (503, {}, b""), (200, {}, b"one")]
    source = open_url(registry.url)
    with pytest.raises(SupergraphUnavailableError):
        await source.read()

    async with following(source) as change:
        assert isinstance(await change(), SupergraphUnavailableError)
        assert await change() == "one"
