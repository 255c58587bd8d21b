"""The examples of docs/testing.md, run as they stand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from graphgw.testing.plugin import fake_service, graph

ROOT = Path(__file__).parents[3]
[EXAMPLE] = re.findall(
    r"```python\n(.+?)```", (ROOT / "docs" / "testing.md").read_text(), re.DOTALL
)
NAMES: dict[str, Any] = {}
exec(EXAMPLE, NAMES)  # noqa: S102 - our own documentation

__all__ = ["fake_service", "graph"]


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("test_")])
async def test_an_example_of_the_documentation_holds(name: str, graph, fake_service):
    await NAMES[name](graph, fake_service)
