"""Functions whose source is written once per plan and compiled once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SourceWriter"]


class SourceWriter:
    """Collects the source of functions and the constants that they name.

    Only names and strings of a validated schema or operation are written into the
    source, and always as Python literals.
    """

    def __init__(self, constants: Mapping[str, Any] | None = None) -> None:
        self._blocks: list[str] = []
        self._constants: dict[str, Any] = dict(constants or {})
        self._count = 0

    def name(self, prefix: str) -> str:
        """Return a new name that starts with ``prefix``."""
        self._count += 1
        return f"{prefix}{self._count}"

    def constant(self, prefix: str, value: object) -> str:
        """Make ``value`` known to the functions; return its name."""
        name = self.name(prefix)
        self._constants[name] = value
        return name

    def function(self, name: str, parameters: str, body: list[str]) -> None:
        """Add one function; ``body`` lines carry their own indent within it."""
        lines = [f"def {name}({parameters}):", *(f"    {line}" for line in body)]
        self._blocks.append("\n".join(lines))

    def statement(self, text: str) -> None:
        """Add one statement, run when the source is compiled."""
        self._blocks.append(text)

    @property
    def text(self) -> str:
        """The source of every function added so far."""
        return "\n\n".join(self._blocks)

    def compile(self, label: str) -> dict[str, Any]:
        """Compile the source; return its functions and constants by name."""
        names = dict(self._constants)
        exec(compile(self.text, f"<{label}>", "exec"), names)  # noqa: S102 - our own text
        return names
