"""What a representation has: names, with those below them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from graphgw.federation.selection import Field

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphgw.federation.selection import Selections

__all__ = ["Given", "common", "covers", "given_by", "has_path"]

Given: TypeAlias = "dict[str, Given]"


def given_by(selections: Selections) -> Given:
    """Return what a representation built by these selections has."""
    return {
        selection.name: given_by(selection.selections)
        for selection in selections
        if isinstance(selection, Field)
    }


def common(trees: list[Given]) -> Given:
    """Return what all of several representations have."""
    first, *others = trees
    if not others:
        return first
    return {
        name: common([below, *(other[name] for other in others)])
        for name, below in first.items()
        if all(name in other for other in others)
    }


def has_path(given: Mapping[str, Given], path: tuple[str, ...]) -> bool:
    """Tell whether a representation has the value at the end of a path."""
    for name in path:
        if name not in given:
            return False
        given = given[name]
    return True


def covers(given: Given, selections: Selections) -> bool:
    """Tell whether a representation has all that is selected."""
    return all(
        isinstance(selection, Field)
        and (
            selection.name == "__typename"
            or (
                selection.name in given
                and covers(given[selection.name], selection.selections)
            )
        )
        for selection in selections
    )
