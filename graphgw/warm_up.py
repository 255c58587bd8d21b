"""Prepare the operations that are asked most before a snapshot serves."""

from __future__ import annotations

import asyncio
import contextlib
from glob import glob
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import orjson

from graphgw.errors import GraphGWError
from graphgw.snapshot import PlanKey, UsedDocument

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from graphgw.operations.settings import WarmUpSettings
    from graphgw.snapshot import Snapshot

__all__ = ["WarmedUp", "read_documents", "remember_documents", "warm_up"]


class WarmedUp(NamedTuple):
    """What came of it: documents that are ready, and those that do not fit."""

    ready: int
    unfit: int


async def warm_up(
    snapshot: Snapshot, before: Snapshot | None, settings: WarmUpSettings
) -> WarmedUp:
    """Prepare, plan and compile what was asked most, within the time there is.

    Clients of a variant have documents of their own; the variants take turns. What
    fits the schema no more is left out: who asks for it is told.

    Args:
        snapshot: Is to serve from now on.
        before: Served until now; without it, documents come from files.
        settings: How many documents, for how long, and which files.
    """
    if not settings.documents:
        return WarmedUp(0, 0)
    if before is None:
        found = await asyncio.to_thread(read_documents, settings)
        work = [(snapshot, document) for document in found]
    else:
        work = list(_pair(snapshot, before, settings.documents))
    ready = unfit = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(settings.seconds):
            for view, document in work:
                try:
                    await _prepare(view, document)
                except GraphGWError:
                    unfit += 1
                else:
                    ready += 1
    return WarmedUp(ready, unfit)


def read_documents(settings: WarmUpSettings) -> list[UsedDocument]:
    """Return what is to be prepared at the start, at most as many as allowed.

    What was remembered comes first, then the files by name. A file that cannot be
    read holds nothing: the start must not fail for what only saves time.
    """
    found: dict[tuple[str, str | None], UsedDocument] = {}
    if settings.remember is not None:
        for document in _recall(settings.remember):
            found.setdefault((document.text, document.operation_name), document)
    for pattern in settings.files:
        for path in sorted(glob(pattern, recursive=True)):  # noqa: PTH207 - Path.glob takes no absolute patterns
            with contextlib.suppress(OSError, UnicodeDecodeError):
                text = Path(path).read_text(encoding="utf-8")
                found.setdefault((text, None), UsedDocument(text, None))
    return list(found.values())[: settings.documents]


def remember_documents(
    path: Path, documents: Sequence[UsedDocument], count: int
) -> None:
    """Write the documents that were asked most; a reader sees all of them or none.

    Raises:
        OSError: The file cannot be written.
    """
    lines = [
        orjson.dumps(
            {
                "query": document.text,
                "operationName": document.operation_name,
                "conditions": document.conditions,
            }
        )
        for document in documents[:count]
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{id(lines):x}")
    draft.write_bytes(b"".join(line + b"\n" for line in lines))
    draft.replace(path)


def _recall(path: Path) -> Iterable[UsedDocument]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return
    for line in lines:
        try:
            entry = orjson.loads(line)
            yield UsedDocument(
                str(entry["query"]),
                entry["operationName"],
                tuple(tuple(map(bool, values)) for values in entry["conditions"]),
            )
        except (orjson.JSONDecodeError, KeyError, TypeError):
            continue


def _pair(
    snapshot: Snapshot, before: Snapshot, count: int
) -> Iterable[tuple[Snapshot, UsedDocument]]:
    """Yield what each view's clients asked most, the views in turn."""
    views = [(snapshot, before)]
    views += [
        (view, before.variants[name])
        for name, view in snapshot.variants.items()
        if name in before.variants
    ]
    used = [
        [(view, document) for document in old.used_documents()[:count]]
        for view, old in views
    ]
    for entries in zip_longest(*used):
        yield from (entry for entry in entries if entry is not None)


async def _prepare(snapshot: Snapshot, used: UsedDocument) -> None:
    """Bring a document as far as it was: its operations, and their plans."""
    prepared = await snapshot.prepare_document(used.text, used.operation_name)
    count = len(prepared.document.conditions)
    for conditions in used.conditions or ((True,) * count,):
        if len(conditions) != count:
            continue
        operation = await snapshot.normalize(prepared, conditions)
        keys = [key for key in used.plans if key.fingerprint == operation.fingerprint]
        unhindered = PlanKey(operation.fingerprint, frozenset(), frozenset())
        for key in keys or [unhindered]:
            await snapshot.compile(key, operation)
