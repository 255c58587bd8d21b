"""docs/patterns.md is true: its commands print what it says, its YAML is right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from integration.test_policies_docs import MARK, Place, blocks, pattern, place
from jsonschema import Draft202012Validator
from support.processes import ROOT

from graphgw.config.json_schema import json_schema
from graphgw.config.load import load_settings_text

__all__ = ["place"]

TEXT = (ROOT / "docs" / "patterns.md").read_text()
HEAD, *SECTIONS = TEXT.split("\n## ")
RUN = [section for section in SECTIONS if blocks(section)]


@pytest.mark.parametrize("section", RUN, ids=lambda text: text.partition("\n")[0])
def test_a_section_can_be_followed_line_by_line(place: Place, section: str):
    start = re.search(r"```sh\n(.*?)```", HEAD, re.DOTALL)
    assert start is not None
    found = blocks(section)

    script = f"\necho '{MARK}'\n".join([start[1], *(command for command, _ in found)])
    outputs = place.run(script).split(MARK)[1:]

    for (command, expected), output in zip(found, outputs, strict=True):
        assert re.fullmatch(
            pattern(place.localize(expected)), output.strip(), re.DOTALL
        ), f"{command}\nprinted\n{output}\nnot\n{expected}"


def test_every_shell_block_has_its_output():
    assert TEXT.count("```sh\n") == len(blocks(TEXT)) + 1


@pytest.mark.parametrize(
    "block",
    re.findall(r"```yaml\n(.+?)```", TEXT, re.DOTALL),
    ids=lambda block: " ".join(block.split()[:2]),
)
def test_a_snippet_of_configuration_is_right(block: str, tmp_path: Path):
    load_settings_text(block, tmp_path / "graphgw.yaml", {})

    Draft202012Validator(json_schema()).validate(yaml.safe_load(block))
