"""What composition finds: problems that stop it, and hints that do not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphgw.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Findings", "Hint", "quoted"]


@dataclass(frozen=True, slots=True)
class Hint:
    """A legal but doubtful finding; ``where`` is a schema coordinate."""

    message: str
    where: str | None = None

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


@dataclass(slots=True)
class Findings:
    """Collects problems and hints; each is kept once."""

    problems: list[Problem] = field(default_factory=list)
    hints: list[Hint] = field(default_factory=list)

    def problem(
        self, message: str, where: str | None = None, mend: str | None = None
    ) -> None:
        """Add what stops composition."""
        problem = Problem(message, where, mend)
        if problem not in self.problems:
            self.problems.append(problem)

    def hint(self, message: str, where: str | None = None) -> None:
        """Add what is legal but doubtful."""
        hint = Hint(message, where)
        if hint not in self.hints:
            self.hints.append(hint)


def quoted(names: Iterable[str]) -> str:
    """Return subgraph names for a message: ``subgraphs "a", "b" and "c"``."""
    texts = [f'"{name}"' for name in dict.fromkeys(names)]
    if len(texts) == 1:
        return f"subgraph {texts[0]}"
    return f"subgraphs {', '.join(texts[:-1])} and {texts[-1]}"
