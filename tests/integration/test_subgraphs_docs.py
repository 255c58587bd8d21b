"""docs/subgraphs.md is true: its modules, commands and settings work as they stand."""

from __future__ import annotations

import importlib.util
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from integration.test_policies_docs import MARK, blocks, find_free_port, pattern
from jsonschema import Draft202012Validator
from support.processes import ROOT

from graphgw.config.json_schema import json_schema
from graphgw.config.load import load_settings_text

TEXT = (ROOT / "docs" / "subgraphs.md").read_text()
HEAD, *SECTIONS = TEXT.split("\n## ")
TITLES = {section.partition("\n")[0]: section for section in SECTIONS}


def code_of(section: str) -> str:
    """Return a section's module: its Python blocks, one after the other."""
    return "\n".join(re.findall(r"```python\n(.+?)```", section, re.DOTALL))


EXAMPLES = [
    pytest.param(title, name, id=name)
    for title, section in TITLES.items()
    for name in re.findall(
        r"^(?:async )?def (test_\w+)", code_of(section), re.MULTILINE
    )
]
[CONFIGURATION] = re.findall(r"```yaml\n(.+?)```", TITLES["On its own"], re.DOTALL)
RUN = [title for title, section in TITLES.items() if blocks(section)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("subgraphs")


@pytest.fixture(scope="module")
def modules() -> Iterator[dict[str, ModuleType]]:
    made: dict[str, ModuleType] = {}
    yield made
    for module in made.values():
        sys.modules.pop(module.__name__, None)


def module_of(title: str, folder: Path, modules: dict[str, ModuleType]) -> ModuleType:
    """Import what a section says, as a module of its own."""
    if title not in modules:
        name = "subgraphs_docs_" + re.sub(r"\W+", "_", title.lower())
        path = folder / f"{name}.py"
        path.write_text(code_of(TITLES[title]))
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        modules[title] = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(modules[title])
    return modules[title]


@pytest.mark.parametrize(("title", "name"), EXAMPLES)
async def test_an_example_holds(title, name, folder, modules, request):
    test = getattr(module_of(title, folder, modules), name)

    found = test(
        **{
            parameter: request.getfixturevalue(parameter)
            for parameter in inspect.signature(test).parameters
        }
    )
    if inspect.isawaitable(found):
        await found


@pytest.mark.parametrize(
    "title", [title for title, section in TITLES.items() if code_of(section)]
)
def test_every_python_block_is_run(title, folder, modules):
    assert module_of(title, folder, modules)
    assert "def test_" in code_of(TITLES[title])


@pytest.mark.parametrize("title", RUN)
def test_a_section_can_be_followed_line_by_line(title: str, tmp_path: Path):
    (tmp_path / "books.py").write_text(code_of(TITLES["A first subgraph"]))
    (tmp_path / "graphgw.yaml").write_text(CONFIGURATION)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    command = tmp_path / ".venv" / "bin" / "graphgw"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m graphgw.cli.main "$@"\n')
    command.chmod(0o755)
    found = blocks(TITLES[title])
    script = f"\necho '{MARK}'\n".join(["", *(command for command, _ in found)])
    for port in sorted(set(re.findall(r"127\.0\.0\.1:(\d+)", script))):
        script = script.replace(port, str(find_free_port()))

    done = subprocess.run(  # noqa: S603 - the document's own commands
        ("timeout", "60", "bash", "-c", script),  # noqa: S607 - wherever they are
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr

    outputs = done.stdout.split(MARK)[1:]
    for (command_text, expected), output in zip(found, outputs, strict=True):
        assert re.fullmatch(pattern(expected), output.strip(), re.DOTALL), (
            f"{command_text}\nprinted\n{output}\nnot\n{expected}"
        )


def test_every_shell_block_has_its_output():
    assert TEXT.count("```sh\n") == len(blocks(TEXT))


@pytest.mark.parametrize(
    "block",
    re.findall(r"```yaml\n(.+?)```", TEXT, re.DOTALL),
    ids=lambda block: " ".join(block.split()[:2]),
)
def test_a_snippet_of_configuration_is_right(block: str, tmp_path: Path):
    load_settings_text(block, tmp_path / "graphgw.yaml", {})

    Draft202012Validator(json_schema()).validate(yaml.safe_load(block))


@pytest.mark.parametrize(
    "link", sorted(set(re.findall(r"\]\((?!http|#)([^)#]+)", TEXT)))
)
def test_links_lead_somewhere(link: str):
    assert (ROOT / "docs" / link).exists()
