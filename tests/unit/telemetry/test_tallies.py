"""Metrics of one process read the same as those of the client library."""

import random

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from graphgw.telemetry.tallies import CounterTallies, HistogramTallies

BOUNDS = (0.001, 0.5, 1, 10)


def render(registry):
    """The text format, without the moments at which the library made its series."""
    return [
        line
        for line in generate_latest(registry).decode().splitlines()
        if "_created" not in line
    ]


@pytest.mark.parametrize("labels", [(), ("source",), ("source", "status")])
def test_counters_read_as_those_of_the_library(labels):
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    tallies = CounterTallies("calls", "Calls.", labels, registry=ours)
    counter = Counter("calls", "Calls.", labels, registry=theirs)

    for number in range(20):
        values = [f"{label} {number % 3}" for label in labels]
        tallies(*values).inc(number)
        (counter.labels(*values) if labels else counter).inc(number)
        tallies(*values).inc()
        (counter.labels(*values) if labels else counter).inc()

    assert render(ours) == render(theirs)


@pytest.mark.parametrize("labels", [(), ("source",)])
def test_histograms_read_as_those_of_the_library(labels):
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    tallies = HistogramTallies(
        "seconds", "Time.", labels, registry=ours, buckets=BOUNDS
    )
    histogram = Histogram("seconds", "Time.", labels, registry=theirs, buckets=BOUNDS)
    draw = random.Random(7)  # noqa: S311 - no secret

    for number in range(200):
        values = [f'"{label}" {number % 3}' for label in labels]
        seconds = draw.choice([0.0, *BOUNDS, draw.random(), 100.0])
        tallies(*values).observe(seconds)
        (histogram.labels(*values) if labels else histogram).observe(seconds)

    assert render(ours) == render(theirs)


def test_a_metric_without_labels_is_there_from_the_start():
    registry = CollectorRegistry()
    CounterTallies("calls", "Calls.", (), registry=registry)

    assert render(registry)[-1] == "calls_total 0.0"
