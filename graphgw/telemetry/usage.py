"""From the metrics of a gateway back to who used what is deprecated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

__all__ = ["DeprecatedUse", "read_deprecated_uses"]

_SAMPLE: Final = "graphgw_deprecated_uses_total"


@dataclass(frozen=True, slots=True, order=True)
class DeprecatedUse:
    """How many operations of one client used something deprecated."""

    coordinate: str
    client: str
    version: str
    operations: int


def read_deprecated_uses(text: str) -> list[DeprecatedUse]:
    """Return the uses that a text of metrics tells, most of each coordinate first.

    Raises:
        ValueError: The text holds no metrics.
    """
    found = [
        DeprecatedUse(
            sample.labels["coordinate"],
            sample.labels["client"],
            sample.labels["version"],
            int(sample.value),
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == _SAMPLE
    ]
    return sorted(found, key=lambda use: (use.coordinate, -use.operations, use))
