"""``@deprecated`` and ``@sunset``: tell clients in headers, count, and refuse in time.

See https://www.rfc-editor.org/rfc/rfc9745 and https://www.rfc-editor.org/rfc/rfc8594.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate
from typing import TYPE_CHECKING, Final

from graphgw.policies.decision import Refusal
from graphgw.policies.sunset_uses import NO_USES, SunsetUses, UseFinder
from graphgw.telemetry.events import DeprecatedUsed
from graphgw.types import SYSTEM_CLOCK, Clock

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphgw.context import RequestContext
    from graphgw.federation.sunset import Retirement
    from graphgw.federation.supergraph import Supergraph
    from graphgw.operations.operation import Operation
    from graphgw.policies.settings import SunsetSettings
    from graphgw.policies.sunset_uses import SunsetUse
    from graphgw.types import JSONObject

__all__ = ["SunsetDecision", "SunsetPolicy", "retirement_headers"]

_CODE: Final = "FIELD_SUNSET"


@dataclass(frozen=True, slots=True)
class SunsetDecision:
    """What an operation's answer tells of what it uses, and what is refused of it."""

    headers: tuple[tuple[str, str], ...] = ()
    refusals: tuple[Refusal, ...] = ()


class SunsetPolicy:
    """Decides on the uses of what goes away.

    Before its end a use is counted and told in headers; from then on it is refused,
    where that is enforced.
    """

    def __init__(
        self,
        supergraph: Supergraph,
        settings: SunsetSettings,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._finder = UseFinder(supergraph)
        self.is_on = settings.switch != "off" and not self._finder.is_empty

    def find(self, operation: Operation) -> SunsetUses:
        """Return what an operation uses; depends on the operation alone."""
        return self._finder.find(operation) if self.is_on else NO_USES

    def decide(
        self, context: RequestContext, uses: SunsetUses, variables: JSONObject
    ) -> SunsetDecision:
        """Say what becomes of the uses of one run, and report them."""
        found = uses.of(variables)
        if not found:
            return SunsetDecision()
        now = self._clock.time()
        refusals = []
        for use in found:
            ends = use.retirement.ends
            if ends is not None and ends <= now:
                is_shadow = self._settings.switch == "shadow"
                coordinate = use.retirement.coordinate
                context.report_refusal(coordinate, _CODE, is_shadow=is_shadow)
                if not is_shadow:
                    refusals.append(_refuse(use, ends))
        retirements = {use.retirement.coordinate: use.retirement for use in found}
        for coordinate in retirements:
            context.observer.observe(
                DeprecatedUsed(coordinate, context.client.name, context.client.version)
            )
        headers = retirement_headers(retirements.values(), self._settings.link)
        return SunsetDecision(headers, _outermost(refusals))


def retirement_headers(
    retirements: Iterable[Retirement], link: str | None
) -> tuple[tuple[str, str], ...]:
    """Return the headers that tell when something was deprecated and when it goes.

    The earliest times count. Where no schema says since when, it is the Unix epoch.

    Args:
        retirements: What an answer used, at least one.
        link: A page about it, for people.
    """
    retirements = tuple(retirements)
    since = min((r.since for r in retirements if r.since is not None), default=0.0)
    ends = min((r.ends for r in retirements if r.ends is not None), default=None)
    headers = [("deprecation", f"@{int(since)}")]
    links = [f'<{link}>; rel="deprecation"; type="text/html"']
    if ends is not None:
        headers.append(("sunset", formatdate(ends, usegmt=True)))
        links.append(f'<{link}>; rel="sunset"; type="text/html"')
    if link is not None:
        headers.append(("link", ", ".join(links)))
    return tuple(headers)


def _refuse(use: SunsetUse, ends: float) -> Refusal:
    retirement = use.retirement
    moment = datetime.fromtimestamp(ends, UTC).isoformat().replace("+00:00", "Z")
    message = f'"{retirement.coordinate}" is gone since {moment[:10]}'
    extensions: JSONObject = {"sunset": moment}
    if retirement.replacement is not None:
        message += f'; use "{retirement.replacement}"'
        extensions["replacement"] = retirement.replacement
    return Refusal(
        use.selection, retirement.coordinate, message, _CODE, use.path, extensions
    )


def _outermost(refusals: list[Refusal]) -> tuple[Refusal, ...]:
    """Leave out what stands within something refused, and second reasons."""
    kept: dict[tuple[int, ...], Refusal] = {}
    for refusal in sorted(refusals, key=lambda found: len(found.selection)):
        place = refusal.selection
        if not any(place[:length] in kept for length in range(1, len(place) + 1)):
            kept[place] = refusal
    return tuple(kept[place] for place in sorted(kept))
