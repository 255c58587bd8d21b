"""Metrics of what is deprecated: who used it, in a bounded number of series."""

from graphgw.telemetry.events import DeprecatedUsed
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
