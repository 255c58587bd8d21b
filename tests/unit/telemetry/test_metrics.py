"""Metrics of what is deprecated: who used it, in a bounded number of series."""

import pytest

from graphgw.telemetry.events import DeprecatedUsed, RateLimitDecided, SelectionRefused
from graphgw.telemetry.metrics import MetricsObserver


def series(metrics):
    return [
        line
        for line in metrics.render().decode().splitlines()
        if line.startswith("graphgw_deprecated_uses_total{")
    ]


def test_uses_are_counted_by_coordinate_and_client():
    metrics = MetricsObserver()

    metrics.observe(DeprecatedUsed("User.mail", "ios", "1.2"))
    metrics.observe(DeprecatedUsed("User.mail", "ios", "1.2"))
    metrics.observe(DeprecatedUsed("User.mail", None, None))

    name = "graphgw_deprecated_uses_total"
    assert series(metrics) == [
        f'{name}{{client="ios",coordinate="User.mail",version="1.2"}} 2.0',
        f'{name}{{client="",coordinate="User.mail",version=""}} 1.0',
    ]


def test_clients_cannot_make_any_number_of_series():
    metrics = MetricsObserver()

    for number in range(1000):
        metrics.observe(DeprecatedUsed("User.mail", f"client {number}", "1"))
    metrics.observe(DeprecatedUsed("User.mail", "x" * 1000, "1"))

    found = series(metrics)
    assert len(found) == 201
    assert found[-1].endswith(
        '{client="other",coordinate="User.mail",version=""} 801.0'
    )


@pytest.mark.parametrize(
    ("event", "line"),
    [
        pytest.param(
            SelectionRefused("Query.me", "UNAUTHORIZED"),
            'refused_selections_total{code="UNAUTHORIZED",coordinate="Query.me",'
            'mode="enforce"}',
            id="refused",
        ),
        pytest.param(
            SelectionRefused("Query.me", "UNAUTHORIZED", is_shadow=True),
            'refused_selections_total{code="UNAUTHORIZED",coordinate="Query.me",'
            'mode="shadow"}',
            id="shadow",
        ),
        pytest.param(
            RateLimitDecided("calls", is_allowed=False),
            'rate_limit_decisions_total{bucket="calls",result="refused"}',
            id="limited",
        ),
        pytest.param(
            RateLimitDecided("calls", is_allowed=False, is_shadow=True),
            'rate_limit_decisions_total{bucket="calls",result="shadow"}',
            id="limited-in-shadow",
        ),
        pytest.param(
            RateLimitDecided("calls", is_allowed=True, is_shadow=True),
            'rate_limit_decisions_total{bucket="calls",result="allowed"}',
            id="allowed",
        ),
    ],
)
def test_what_a_shadow_would_refuse_is_counted_apart(event, line):
    metrics = MetricsObserver()

    metrics.observe(event)

    assert f"graphgw_{line} 1.0" in metrics.render().decode().splitlines()
