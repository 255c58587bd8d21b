"""Which variant of the graph serves a request, and whether its caller may use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from graphgw.errors import (
    BadRequestError,
    UnauthenticatedError,
    VariantForbiddenError,
    VariantSunsetError,
)
from graphgw.federation.sunset import Retirement, parse_moment
from graphgw.policies.authenticate.addresses import AddressList, is_address_allowed
from graphgw.policies.settings import AuthSettings, SunsetSettings
from graphgw.policies.sunset import retirement_headers
from graphgw.telemetry.events import SelectionRefused
from graphgw.types import SYSTEM_CLOCK, Clock

if TYPE_CHECKING:
    from collections.abc import Collection

    from graphgw.policies.settings import Switch
    from graphgw.policies.variant_settings import VariantSettings
    from graphgw.telemetry.observer import Observer
    from graphgw.types import Headers, Principal

__all__ = ["VariantPolicy", "choose_variant"]

_FORBIDDEN: Final = VariantForbiddenError.code


def choose_variant(
    at_path: str | None,
    headers: Headers,
    principal: Principal,
    *,
    known: Collection[str],
    header: str | None,
) -> str | None:
    """Return the name of the variant that a request asks for, ``None`` for no one.

    The path and the header may name one, and an API key may be for one alone.

    Args:
        at_path: The variant whose path was asked.
        headers: Those of the request.
        principal: Who asks.
        known: The names of all variants.
        header: The name of the header that chooses, if there is one.

    Raises:
        BadRequestError: The header names no variant, or another than the path.
        VariantForbiddenError: The caller's API key is for another variant.
    """
    name = at_path
    named = headers.get(header) if header is not None else None
    if named is not None:
        if named not in known:
            raise BadRequestError(f"the header {header} names no variant")
        if name is not None and named != name:
            raise BadRequestError(f"the path and the header {header} disagree")
        name = named
    bound = principal.variant
    if bound is None:
        return name
    if bound not in known or (name is not None and name != bound):
        raise VariantForbiddenError(f'the API key is for the variant "{bound}" alone')
    return bound


class VariantPolicy:
    """Who may use one variant, and what its answers tell of its end.

    ``headers`` stand on all of its answers.
    """

    def __init__(
        self,
        variant: VariantSettings,
        auth: AuthSettings | None = None,
        sunset: SunsetSettings | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        auth, sunset = auth or AuthSettings(), sunset or SunsetSettings()
        self.name = variant.name
        self.max_age = variant.max_age
        self.has_introspection = variant.has_introspection
        self._replacement = variant.replacement
        self._allow = AddressList(variant.addresses.allow)
        self._deny = AddressList(variant.addresses.deny)
        self._scopes = frozenset(variant.scopes)
        self._switch = auth.switch
        self._address_switch = auth.addresses.switch
        self._is_over_refused = sunset.switch == "enforce"
        self._clock = clock
        self._ends = None if variant.sunset is None else parse_moment(variant.sunset)
        self.headers: tuple[tuple[str, str], ...] = ()
        has_end = variant.deprecated is not None or variant.sunset is not None
        if has_end and sunset.switch != "off":
            since = None
            if variant.deprecated is not None:
                since = parse_moment(variant.deprecated)
            retirement = Retirement(variant.name, since, self._ends)
            self.headers = retirement_headers((retirement,), sunset.link)

    def check(self, principal: Principal, observer: Observer) -> None:
        """Let a caller pass, or not.

        Raises:
            VariantSunsetError: The variant is gone.
            VariantForbiddenError: The caller may not use it.
            UnauthenticatedError: Nobody may use it without saying who they are.
        """
        if self._ends is not None and self._is_over_refused:
            self._check_end(self._ends)
        if (self._allow or self._deny) and not is_address_allowed(
            principal.ip, self._allow, self._deny
        ):
            self._report_or_raise(
                self._address_switch, "this address may not call", principal, observer
            )
        if not self._scopes.issubset(principal.scopes):
            if self._switch == "enforce" and not principal.is_authenticated:
                raise UnauthenticatedError("this graph is for known callers")
            missing = ", ".join(sorted(self._scopes - principal.scopes))
            self._report_or_raise(
                self._switch, f"this graph needs: {missing}", principal, observer
            )

    def _check_end(self, ends: float) -> None:
        if self._clock.time() < ends:
            return
        message = f'the variant "{self.name}" is gone'
        if self._replacement is not None:
            message += f'; use "{self._replacement}"'
        raise VariantSunsetError(message, headers=self.headers)

    def _report_or_raise(
        self, switch: Switch, message: str, principal: Principal, observer: Observer
    ) -> None:
        if switch == "enforce":
            raise VariantForbiddenError(message)
        if switch == "shadow":
            place = f"variant {self.name}"
            observer.observe(
                SelectionRefused(
                    place, _FORBIDDEN, is_shadow=True, subject=principal.subject
                )
            )
