"""Which variant a request is for, and who may use it until when."""

import pytest
from support.clock import ManualClock
from support.policies import Recorder

from graphgw.errors import (
    BadRequestError,
    UnauthenticatedError,
    VariantForbiddenError,
    VariantSunsetError,
)
from graphgw.policies.settings import AddressSettings, AuthSettings, SunsetSettings
from graphgw.policies.variant_settings import VariantAddresses, VariantSettings
from graphgw.policies.variants import VariantPolicy, choose_variant
from graphgw.types import ANONYMOUS, Principal

JANUARY = 1801353600.0  # 2027-01-31 in UTC
DAY = "Sun, 31 Jan 2027 00:00:00 GMT"
KNOWN = ("mobile", "partner")
BOUND = Principal(api_key="phone", variant="mobile")


def choose(at_path=None, named=None, principal=ANONYMOUS, header="x-variant"):
    headers = {} if named is None else {"x-variant": named}
    return choose_variant(at_path, headers, principal, known=KNOWN, header=header)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({"at_path": "mobile"}, "mobile", id="path"),
        pytest.param({"named": "mobile"}, "mobile", id="header"),
        pytest.param({"named": "mobile", "header": None}, None, id="no-such-header"),
        pytest.param({"at_path": "mobile", "named": "mobile"}, "mobile", id="both"),
        pytest.param({"principal": BOUND}, "mobile", id="key"),
        pytest.param(
            {"at_path": "mobile", "principal": BOUND}, "mobile", id="key-path"
        ),
        pytest.param(
            {"named": "mobile", "principal": BOUND}, "mobile", id="key-header"
        ),
    ],
)
def test_path_header_and_api_key_choose_the_variant(options, expected):
    assert choose(**options) == expected


@pytest.mark.parametrize(
    ("options", "error"),
    [
        pytest.param({"named": "other"}, BadRequestError, id="unknown"),
        pytest.param(
            {"at_path": "mobile", "named": "partner"}, BadRequestError, id="disagree"
        ),
        pytest.param(
            {"at_path": "partner", "principal": BOUND}, VariantForbiddenError, id="path"
        ),
        pytest.param(
            {"named": "partner", "principal": BOUND}, VariantForbiddenError, id="header"
        ),
        pytest.param(
            {"principal": Principal(api_key="k", variant="gone")},
            VariantForbiddenError,
            id="key-for-no-variant",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(options, error):
    with pytest.raises(error):
        choose(**options)


def policy(*, switch="enforce", **options):
    auth = AuthSettings(switch=switch, addresses=AddressSettings(switch=switch))
    return VariantPolicy(VariantSettings(name="partner", **options), auth)


def check(made, principal=ANONYMOUS):
    recorder = Recorder()
    made.check(principal, recorder)
    return [(e.coordinate, e.code, e.is_shadow) for e in recorder.events]


def test_a_variant_is_open_by_default():
    assert check(policy()) == []


def test_callers_need_its_scopes():
    made = policy(scopes=("a", "b"))

    with pytest.raises(UnauthenticatedError):
        check(made)
    with pytest.raises(VariantForbiddenError, match="needs: b"):
        check(made, Principal("u", frozenset({"a"})))
    assert check(made, Principal("u", frozenset({"a", "b", "c"}))) == []


def test_callers_need_an_address_of_its_networks():
    made = policy(
        addresses=VariantAddresses(allow=("192.0.2.0/24",), deny=("192.0.2.7",))
    )

    assert check(made, Principal(ip="192.0.2.1")) == []
    for ip in ("192.0.2.7", "203.0.113.1", None):
        with pytest.raises(VariantForbiddenError, match="address"):
            check(made, Principal(ip=ip))


def test_shadow_reports_whom_it_would_refuse():
    made = policy(
        switch="shadow", scopes=("a",), addresses=VariantAddresses(allow=("192.0.2.1",))
    )

    assert check(made) == [("variant partner", "VARIANT_FORBIDDEN", True)] * 2


def test_switched_off_it_lets_everybody_pass():
    assert check(policy(switch="off", scopes=("a",))) == []


def test_its_answers_tell_since_when_it_is_deprecated_and_when_it_goes():
    made = over(link="https://shop.example/v2")

    assert made.headers[:2] == (("deprecation", "@1769817600"), ("sunset", DAY))
    assert dict(made.headers)["link"].startswith("<https://shop.example/v2>")


def over(*, switch="shadow", now=JANUARY, **options):
    variant = VariantSettings(
        name="v1", deprecated="2026-01-31", sunset="2027-01-31", replacement="v2"
    )
    sunset = SunsetSettings(switch=switch, **options)
    return VariantPolicy(variant, sunset=sunset, clock=ManualClock(now))


def test_after_its_day_it_is_gone_where_that_is_enforced():
    with pytest.raises(VariantSunsetError) as caught:
        check(over(switch="enforce"))

    assert caught.value.message == 'the variant "v1" is gone; use "v2"'
    assert caught.value.status == 410
    assert dict(caught.value.headers)["sunset"] == DAY


def test_before_its_day_and_in_shadow_it_answers():
    assert check(over(switch="enforce", now=JANUARY - 1)) == []
    assert check(over(switch="shadow")) == []


def test_with_sunsets_switched_off_it_tells_nothing():
    assert over(switch="off").headers == ()
    assert check(over(switch="off")) == []
