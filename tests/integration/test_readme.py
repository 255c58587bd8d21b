"""The README is true: its queries answer what it says, its tutorial works."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from conftest import RunningGateway, Shop, wait_until_ready
from integration.test_policies_docs import Place, pattern, place
from integration.test_policies_docs import blocks as shell_blocks
from support.processes import ROOT, start_process

__all__ = ["place"]

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_first_query_answers_what_the_readme_shows(gateway: RunningGateway):
    query, answer = blocks("graphql")[0], blocks("json")[0]

    assert gateway.ask(query) == json.loads(answer)


def test_the_first_query_is_the_first_example():
    example = (ROOT / "examples" / "01_first_look.graphql").read_text()

    wanted, found = blocks("graphql")[0].split(), example.split("\n", 1)[1].split()
    assert found == wanted


def test_a_fifth_subgraph_takes_two_files_and_a_line(shop: Shop, tmp_path: Path):
    resolver, schema = blocks("python")[:2]
    for folder in ("schema", "resolvers"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "resolvers" / "wish.py").write_text(resolver)
    (tmp_path / "schema" / "wish.py").write_text(schema)
    config = (ROOT / "graphgw.yaml").read_text()
    config = config.replace("descriptors: ", f"descriptors: {ROOT}/")
    line = next(block for block in blocks("yaml") if "wish" in block)
    added = config.replace("subgraphs:\n", f"subgraphs:\n{line}", 1)
    (tmp_path / "graphgw.yaml").write_text(added)
    for name in ("examples", "operations"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / ".graphgw", tmp_path / ".graphgw")

    process = start_process(
        "gateway",
        sys.executable, "-m", "graphgw.cli.main", "serve", "--port", "0",
        environment={
            **shop.environment(),
            "PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT))),
        },
        folder=tmp_path,
    )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{process.wait_for_port()}"
        wait_until_ready(url, process)
        answer = RunningGateway(process, url).ask(blocks("graphql")[1])
    finally:
        process.stop()

    assert "errors" not in answer
    assert len(answer["data"]["user"]["wishes"]) == 2
    assert all(wish["name"] for wish in answer["data"]["user"]["wishes"])


@pytest.mark.parametrize(
    "link", sorted(set(re.findall(r"\]\((?!http)([^)#]+)", README)))
)
def test_links_lead_somewhere(link: str):
    assert (ROOT / link).exists()


POLICIES = README.partition("## Policies with `curl`")[2].partition("\n## ")[0]
INTRODUCTION, *PARTS = POLICIES.split("\n### ")


@pytest.mark.parametrize("part", PARTS, ids=lambda text: text.partition("\n")[0])
def test_policies_can_be_followed_line_by_line(place: Place, part: str):
    start = re.search(r"```sh\n(.*?)```", INTRODUCTION, re.DOTALL)
    assert start is not None
    ((commands, expected),) = shell_blocks(part)

    lines = place.run(f"{start[1]}\n{commands}").strip().splitlines()

    printed = "\n".join(line.rstrip() for line in lines)

    assert re.fullmatch(pattern(expected), printed, re.DOTALL), (
        f"printed\n{printed}\nnot\n{expected}"
    )
