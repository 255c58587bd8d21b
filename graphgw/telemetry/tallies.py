"""Counters and histograms of one process: plain numbers, read at a scrape.

Those of the client library take a lock for each number; a call has several.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING, Generic, TypeVar

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

__all__ = ["CounterTallies", "CounterTally", "HistogramTallies", "HistogramTally"]


class CounterTally:
    """A number that grows."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def inc(self, amount: float = 1.0) -> None:
        """Count."""
        self.value += amount


class HistogramTally:
    """How many values there were up to each bound, and their sum."""

    __slots__ = ("_bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.sum += value


TallyT = TypeVar("TallyT")


class _Tallies(Collector, Generic[TallyT]):
    """The tallies of one metric by their labels; call it to get one."""

    def __init__(
        self,
        name: str,
        text: str,
        labels: tuple[str, ...],
        make: Callable[[], TallyT],
        registry: CollectorRegistry,
    ) -> None:
        self._name = name
        self._text = text
        self._labels = labels
        self._make = make
        self._known: dict[tuple[str, ...], TallyT] = {}
        if not labels:
            self._known[()] = make()
        registry.register(self)

    def __call__(self, *labels: str) -> TallyT:
        """Return the tally with these values of the labels."""
        tally = self._known.get(labels)
        if tally is None:
            tally = self._known[labels] = self._make()
        return tally


class CounterTallies(_Tallies[CounterTally]):
    """A counter."""

    def __init__(
        self,
        name: str,
        text: str,
        labels: tuple[str, ...],
        *,
        registry: CollectorRegistry,
    ) -> None:
        super().__init__(name, text, labels, CounterTally, registry)

    def collect(self) -> Iterable[Metric]:
        """Yield what was counted (prometheus_client)."""
        family = CounterMetricFamily(self._name, self._text, labels=self._labels)
        for labels, tally in tuple(self._known.items()):
            family.add_metric(labels, tally.value)
        yield family


class HistogramTallies(_Tallies[HistogramTally]):
    """A histogram."""

    def __init__(
        self,
        name: str,
        text: str,
        labels: tuple[str, ...],
        *,
        registry: CollectorRegistry,
        buckets: tuple[float, ...],
    ) -> None:
        self._bounds = tuple(map(float, buckets))
        bounds = self._bounds
        super().__init__(name, text, labels, lambda: HistogramTally(bounds), registry)

    def collect(self) -> Iterable[Metric]:
        """Yield what was counted (prometheus_client)."""
        family = HistogramMetricFamily(self._name, self._text, labels=self._labels)
        names = [*map(str, self._bounds), "+Inf"]
        for labels, tally in tuple(self._known.items()):
            totals = accumulate(tally.counts)
            family.add_metric(labels, list(zip(names, totals, strict=True)), tally.sum)
        yield family
