"""docs/policies.md is true: its commands print what it says, line by line."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Shop, wait_until_ready
from support.processes import ROOT, start_process

from graphgw.cli.token import ensure_key_pair

TEXT = (ROOT / "docs" / "policies.md").read_text()
HEAD, *SECTIONS = TEXT.split("\n## ")
MARK = "--- end of block ---"


def blocks(text: str) -> list[tuple[str, str]]:
    """Return the shell blocks of a text, each with the output that follows it."""
    return re.findall(r"```sh\n(.*?)```\n\n```text\n(.*?)```", text, re.DOTALL)


@pytest.fixture(scope="module")
def place(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("policies")
    ensure_key_pair(ROOT / ".graphgw")
    shutil.copytree(ROOT / ".graphgw", folder / ".graphgw")
    (folder / ".graphgw" / "api-keys.json").unlink(missing_ok=True)
    for name in ("examples", "operations"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "graphgw.yaml", folder)
    descriptors = folder / "backends" / "protos" / "shop.binpb"
    descriptors.parent.mkdir(parents=True)
    shutil.copy(ROOT / "backends" / "protos" / "shop.binpb", descriptors)
    (folder / ".venv" / "bin").mkdir(parents=True)
    command = folder / ".venv" / "bin" / "graphgw"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m graphgw.cli.main "$@"\n')
    command.chmod(0o755)
    python = folder / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    environment = {**shop.environment(), "PYTHONPATH": str(ROOT)}
    process = start_process(
        "gateway",
        sys.executable, "-m", "graphgw.cli.main", "serve", "--port", "0",
        environment=environment,
        folder=folder,
    )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{process.wait_for_port()}"
        wait_until_ready(url, process)
        ports = {"4000": str(process.port)}
        for number, name in (("4101", "user"), ("4102", "product")):
            ports[number] = str(shop.processes[name].port)
        ports.update((number, str(find_free_port())) for number in ("4105", "4010"))
        yield Place(folder, ports, environment)
    finally:
        process.stop()


class Place:
    """A folder with the example's configuration, and where its processes listen."""

    def __init__(
        self, folder: Path, ports: dict[str, str], environment: dict[str, str]
    ) -> None:
        self.folder = folder
        self._ports = ports
        self._environment = environment

    def localize(self, text: str) -> str:
        """Return a text with the ports of this place."""
        for documented, port in self._ports.items():
            for before in ("127.0.0.1:", "--port "):
                text = text.replace(f"{before}{documented}", f"{before}{port}")
        return text

    def run(self, script: str) -> str:
        """Run a shell script with the ports of this place."""
        script = self.localize(script)
        done = subprocess.run(  # noqa: S603 - the document's own commands
            ("bash", "-c", script),  # noqa: S607 - wherever it is installed
            cwd=self.folder,
            env={**os.environ, **self._environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def find_free_port() -> int:
    """Return a port that nothing listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def pattern(text: str) -> str:
    """Return what an output must match: ``…`` stands for anything."""
    parts = [re.escape(part) for part in text.strip().split("…")]
    found = ".*".join(parts)
    return re.sub(r"(\\ )+", " +", found) if "…" in text else found


@pytest.mark.parametrize(
    "section", SECTIONS, ids=[text.partition("\n")[0] for text in SECTIONS]
)
def test_a_section_can_be_followed_line_by_line(place: Place, section: str):
    found = blocks(section)
    start = re.search(r"```sh\n(.*?)```", HEAD, re.DOTALL)
    assert found
    assert start is not None

    script = f"\necho '{MARK}'\n".join([start[1], *(command for command, _ in found)])
    outputs = place.run(script).split(MARK)[1:]

    for (command, expected), output in zip(found, outputs, strict=True):
        wanted = pattern(expected)
        assert re.fullmatch(wanted, output.strip(), re.DOTALL), (
            f"{command}\nprinted\n{output}\nnot\n{expected}"
        )


def test_every_shell_block_has_its_output():
    assert TEXT.count("```sh\n") == len(blocks(TEXT)) + 1
