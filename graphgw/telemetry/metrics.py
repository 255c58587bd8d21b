"""Events as Prometheus metrics."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from graphgw.telemetry.events import (
    AddressCalled,
    AddressChanged,
    BatchLoaded,
    CacheRead,
    CostMeasured,
    DeprecatedUsed,
    FetchFinished,
    InternalFailure,
    OperationFinished,
    OperationPrepared,
    RateLimitDecided,
    RouteFinished,
    SelectionRefused,
    SnapshotSwapped,
    SourceCalled,
)
from graphgw.telemetry.tallies import CounterTallies, HistogramTallies

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphgw.telemetry.events import Event

    _Called = tuple[Callable[[], None], Callable[[float], None]]
    _Answered = tuple[tuple[Callable[[], None], ...], Callable[[float], None]]

__all__ = ["METRICS_CONTENT_TYPE", "MetricsObserver", "forget_process"]

METRICS_CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

_SECONDS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
_COSTS: Final = (1, 10, 50, 100, 500, 1000, 5000, 10_000, 100_000)
_MAX_CLIENTS: Final = 200
_MAX_CLIENT_NAME: Final = 100
_OTHER_CLIENT: Final = ("other", "")
_SIZES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class _Labelled:
    """A metric that remembers its labelled children, to find them without a lock."""

    __slots__ = ("_children", "_metric")

    def __init__(self, metric: Counter | Histogram) -> None:
        self._metric = metric
        self._children: dict[tuple[str, ...], Any] = {}

    def __call__(self, *labels: str) -> Any:
        child = self._children.get(labels)
        if child is None:
            child = self._metric.labels(*labels) if labels else self._metric
            self._children[labels] = child
        return child


class MetricsObserver:
    """Counts events in a registry of its own; ``render`` gives the text format.

    With ``multiprocess_dir`` the values live in that folder and ``render`` sums them
    over every worker process that shares it. The environment variable
    ``PROMETHEUS_MULTIPROC_DIR`` must name it before this module is imported.
    """

    def __init__(self, multiprocess_dir: str | None = None) -> None:
        registry = CollectorRegistry()
        self._registry = registry
        self._multiprocess_dir = multiprocess_dir

        is_alone = multiprocess_dir is None

        def counter(name: str, text: str, *labels: str) -> _Labelled | CounterTallies:
            name = f"graphgw_{name}"
            if is_alone:
                return CounterTallies(name, text, labels, registry=registry)
            return _Labelled(Counter(name, text, labels, registry=registry))

        def histogram(
            name: str, text: str, buckets: tuple[float, ...], *labels: str
        ) -> _Labelled | HistogramTallies:
            name = f"graphgw_{name}"
            make = HistogramTallies if is_alone else Histogram
            made = make(name, text, labels, registry=registry, buckets=buckets)
            return _Labelled(made) if isinstance(made, Histogram) else made

        memory = Gauge(
            "graphgw_worker_resident_bytes",
            "Memory that a process holds, shared pages included.",
            () if multiprocess_dir else ("pid",),
            registry=registry,
            multiprocess_mode="liveall",  # tells processes apart by pid
        )
        self._memory = memory if multiprocess_dir else memory.labels(str(os.getpid()))
        self._operations = counter(
            "operations", "Operations answered.", "kind", "status"
        )
        self._variants = counter(
            "variant_operations",
            "Operations answered by a variant of the graph.",
            "variant",
            "kind",
            "status",
        )
        self._operation_seconds = histogram(
            "operation_seconds", "Time to answer an operation.", _SECONDS, "kind"
        )
        self._errors = counter("errors", "Errors in answers, by code.", "code")
        self._routed = counter(
            "routed_requests", "Requests at routes.", "route", "method", "status"
        )
        self._route_seconds = histogram(
            "route_seconds", "Time to answer a request at a route.", _SECONDS, "route"
        )
        self._fetches = counter(
            "fetches", "Fetches to subgraphs.", "subgraph", "outcome"
        )
        self._fetch_seconds = histogram(
            "fetch_seconds", "Time of one fetch.", _SECONDS, "subgraph"
        )
        self._batches = histogram(
            "batch_keys", "Keys in one call of a batch function.", _SIZES, "loader"
        )
        self._source_calls = counter(
            "source_calls", "Calls to backends.", "source", "endpoint", "status"
        )
        self._source_seconds = histogram(
            "source_seconds", "Time of one backend call.", _SECONDS, "source"
        )
        self._addresses = counter(
            "address_calls",
            "Calls to services with several addresses.",
            "source",
            "address",
            "status",
        )
        self._changes = counter(
            "address_changes",
            "Addresses that were left out, or came back.",
            "source",
            "address",
            "change",
        )
        self._plans = counter(
            "plan_cache", "Operations whose plan was ready, or not.", "result"
        )
        self._plan_seconds = histogram(
            "plan_seconds", "Time to plan and compile an operation.", _SECONDS
        )
        self._cache = counter(
            "cache_keys", "Keys asked of the entity cache.", "coordinate", "result"
        )
        self._costs = histogram("operation_cost", "Cost of operations.", _COSTS, "kind")
        self._rate = counter(
            "rate_limit_decisions", "Decisions of rate limits.", "bucket", "result"
        )
        self._refused = counter(
            "refused_selections",
            "Selections cut by a policy, or by a shadow that would have.",
            "coordinate",
            "code",
            "mode",
        )
        self._deprecated = counter(
            "deprecated_uses",
            "Operations that used something deprecated, by client.",
            "coordinate",
            "client",
            "version",
        )
        self._clients: set[tuple[str, str]] = set()
        self._swaps = counter("snapshot_swaps", "Reloads of the schema.", "result")
        self._failures = counter("internal_failures", "Failures of our own.", "where")
        self._called: dict[tuple[str, str, str], _Called] = {}
        self._answered: dict[tuple[str, int, bool | None], _Answered] = {}
        self.takers: dict[type[Any], Callable[[Any], None]] = {
            OperationFinished: self._on_operation,
            OperationPrepared: self._on_prepared,
            FetchFinished: self._on_fetch,
            BatchLoaded: self._on_batch,
            SourceCalled: self._on_source,
            AddressCalled: self._on_address,
            AddressChanged: self._on_change,
            CacheRead: self._on_cache,
            CostMeasured: self._on_cost,
            DeprecatedUsed: self._on_deprecated,
            RateLimitDecided: self._on_rate,
            RouteFinished: self._on_route,
            SelectionRefused: self._on_refused,
            SnapshotSwapped: self._on_swap,
            InternalFailure: self._on_failure,
        }

    def note_memory(self) -> None:
        """Take down what memory this process holds; called now and then."""
        self._memory.set(read_resident_bytes())

    def observe(self, event: Event) -> None:
        """Count one event."""
        self.takers[type(event)](event)

    def render(self) -> bytes:
        """Return all metrics in the Prometheus text format."""
        if self._multiprocess_dir is None:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(  # type: ignore[no-untyped-call]  # untyped library
            registry, path=self._multiprocess_dir
        )
        return generate_latest(registry)

    def _on_operation(self, event: OperationFinished) -> None:
        children = self._answered.get((event.kind, event.status, event.had_plan))
        if children is None:
            children = self._find_answered(event)
        for count in children[0]:
            count()
        children[1](event.seconds)
        for code in event.error_codes:
            self._errors(code).inc()
        if event.variant is not None:
            self._variants(event.variant, event.kind, str(event.status)).inc()

    def _find_answered(self, event: OperationFinished) -> _Answered:
        """Find what to count for such an answer, once for all like it."""
        counts = [self._operations(event.kind, str(event.status)).inc]
        if event.had_plan is not None:
            counts.append(self._plans("hit" if event.had_plan else "miss").inc)
        found = tuple(counts), self._operation_seconds(event.kind).observe
        self._answered[event.kind, event.status, event.had_plan] = found
        return found

    def _on_prepared(self, event: OperationPrepared) -> None:
        self._plan_seconds().observe(event.seconds)

    def _on_fetch(self, event: FetchFinished) -> None:
        self._fetches(event.subgraph, event.error_code or "ok").inc()
        self._fetch_seconds(event.subgraph).observe(event.seconds)

    def _on_batch(self, event: BatchLoaded) -> None:
        self._batches(event.loader).observe(event.keys)

    def _on_source(self, event: SourceCalled) -> None:
        key = event.source, event.endpoint, event.status
        found = self._called.get(key)
        if found is None:
            seconds = self._source_seconds(event.source)
            found = self._source_calls(*key).inc, seconds.observe
            self._called[key] = found
        found[0]()
        found[1](event.seconds)

    def _on_address(self, event: AddressCalled) -> None:
        self._addresses(event.source, event.address, event.outcome).inc()

    def _on_change(self, event: AddressChanged) -> None:
        self._changes(event.source, event.address, event.change).inc()

    def _on_cost(self, event: CostMeasured) -> None:
        self._costs("estimated").observe(event.estimate)
        self._costs("actual").observe(event.actual)

    def _on_cache(self, event: CacheRead) -> None:
        self._cache(event.coordinate, "hit").inc(event.hits)
        self._cache(event.coordinate, "miss").inc(event.keys - event.hits)

    def _on_route(self, event: RouteFinished) -> None:
        status = str(event.status) if event.is_whole else "broken"
        self._routed(event.route, event.method, status).inc()
        self._route_seconds(event.route).observe(event.seconds)
        if event.error_code is not None:
            self._errors(event.error_code).inc()

    def _on_rate(self, event: RateLimitDecided) -> None:
        refused = "shadow" if event.is_shadow else "refused"
        self._rate(event.bucket, "allowed" if event.is_allowed else refused).inc()

    def _on_refused(self, event: SelectionRefused) -> None:
        mode = "shadow" if event.is_shadow else "enforce"
        self._refused(event.coordinate, event.code, mode).inc()

    def _on_deprecated(self, event: DeprecatedUsed) -> None:
        client = (event.client_name or "", event.client_version or "")
        if client not in self._clients:
            # Clients choose their names: there may not be any number of them.
            is_short = max(map(len, client)) <= _MAX_CLIENT_NAME
            if is_short and len(self._clients) < _MAX_CLIENTS:
                self._clients.add(client)
            else:
                client = _OTHER_CLIENT
        self._deprecated(event.coordinate, *client).inc()

    def _on_swap(self, event: SnapshotSwapped) -> None:
        self._swaps("failed" if event.error else "ok").inc()

    def _on_failure(self, event: InternalFailure) -> None:
        self._failures(event.where).inc()


def read_resident_bytes() -> int:
    """Return the bytes of memory that this process holds; 0 where that is not told."""
    try:
        pages = Path("/proc/self/statm").read_text("ascii").split()[1]
    except OSError:
        return 0
    return int(pages) * resource.getpagesize()


def forget_process(multiprocess_dir: str, pid: int) -> None:
    """Forget what only holds while a process lives; what it counted stays."""
    mark_process_dead(pid, multiprocess_dir)  # type: ignore[no-untyped-call]  # untyped library
