"""The variants of a configuration: a contract and a view of the snapshot for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphgw.errors import ConfigurationError, Problem
from graphgw.federation.contract import build_contract
from graphgw.policies.variants import VariantPolicy

if TYPE_CHECKING:
    from graphgw.config.settings import Settings
    from graphgw.federation.supergraph import Supergraph
    from graphgw.snapshot import Snapshot

__all__ = ["add_variants", "build_contracts"]


def build_contracts(
    supergraph: Supergraph, settings: Settings
) -> dict[str, Supergraph]:
    """Return the supergraph as each variant's clients see it, by name.

    Raises:
        ConfigurationError: Some filters leave no valid schema; all problems.
    """
    contracts: dict[str, Supergraph] = {}
    problems: list[Problem] = []
    for variant in settings.variants:
        try:
            contracts[variant.name] = build_contract(supergraph, variant.contract)
        except ConfigurationError as error:
            problems += (
                Problem(
                    f'variant "{variant.name}": {found.message}',
                    found.where or f"variants.{variant.name}",
                    found.mend,
                )
                for found in error.problems
            )
    if problems:
        raise ConfigurationError(problems)
    return contracts


def add_variants(snapshot: Snapshot, settings: Settings) -> None:
    """Give a snapshot the views of its variants.

    A subgraph that is served alone has none: routers in front of it need all of it.

    Raises:
        ConfigurationError: Some filters leave no valid schema; all problems.
    """
    if not settings.variants or settings.alone is not None:
        return
    contracts = build_contracts(snapshot.supergraph, settings)
    views = {
        variant.name: snapshot.view(
            VariantPolicy(variant, settings.auth, settings.policies.sunset),
            contracts[variant.name],
            variant.limits.apply(settings.limits),
        )
        for variant in settings.variants
    }
    main = settings.server.path
    default = next((v.name for v in settings.variants if v.graphql_path == main), None)
    snapshot.adopt_variants(views, settings.variant_header, default)
