"""What is measured: two series, and the Node gateways beside the second one."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

__all__ = ["PEERS", "ROOT", "TARGETS", "Series", "Target", "find_default_targets"]

ROOT: Final = Path(__file__).parents[1]
_PEERS: Final = ROOT / "benchmarks" / "peers"
_HIVE: Final = "node_modules/@graphql-hive/gateway/dist/bin.js"

Series: TypeAlias = Literal["local", "remote"]
"""Over REST and gRPC, or over subgraphs that answer GraphQL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Something that answers the five operations."""

    name: str
    command: tuple[str, ...]
    """``{port}`` is where it is to listen, ``{supergraph}`` the composed SDL."""
    series: Series = "local"
    folder: Path = ROOT
    is_graphql: bool = True
    is_slow: bool = False
    """Whether it is measured once only, since each answer takes long."""
    is_peer: bool = False
    """Whether it is a Node gateway, which ``make bench PEERS=1`` installs."""
    warm_up: float = 0.4
    """Seconds of each operation before it is measured."""
    has_callers: bool = False
    """Whether requests have tokens, in turn those of many callers."""


def _python(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, *arguments)


def _gateway(
    name: str, config: str, *, warm_up: float = 0.4, has_callers: bool = False
) -> Target:
    serve = ("-m", "graphgw.cli.main", "serve", "--port", "{port}")
    command = _python(*serve, "--config", f"benchmarks/{config}")
    return Target(name=name, command=command, warm_up=warm_up, has_callers=has_callers)


def _remote_gateway(name: str, config: str) -> Target:
    serve = _gateway(name, f"remote/{config}").command
    command = (*serve, "--supergraph", "{supergraph}")
    return Target(name=name, command=command, series="remote")


def _peer(name: str, *arguments: str) -> Target:
    # What V8 has not compiled yet is no gateway's usual speed.
    return Target(
        name=name,
        command=("node", *arguments),
        series="remote",
        folder=_PEERS,
        is_peer=True,
        warm_up=3.0,
    )


def _asgi(module: str) -> tuple[str, ...]:
    return _python("-m", "benchmarks.serve_asgi", f"{module}:app", "{port}")


TARGETS: Final = {
    target.name: target
    for target in (
        Target(
            name="by_hand", command=_asgi("benchmarks.by_hand.app"), is_graphql=False
        ),
        _gateway("gateway", "graphgw.yaml"),
        _gateway("gateway_sharing", "graphgw-sharing.yaml"),
        _gateway("gateway_policies", "graphgw-policies.yaml"),
        _gateway("gateway_limited", "graphgw-limited.yaml", has_callers=True),
        # Long enough to have met every variant once.
        _gateway("gateway_cached", "graphgw-cached.yaml", warm_up=4.0),
        Target(
            name="strawberry",
            command=_asgi("benchmarks.strawberry_app.app"),
            is_slow=True,
        ),
        _remote_gateway("gateway_remote", "serve.yaml"),
        _remote_gateway("gateway_remote_sharing", "serve-sharing.yaml"),
        _peer("apollo_gateway", "apollo.mjs"),
        _peer(
            "hive_gateway",
            *(_HIVE, "supergraph", "--config-path", "hive.config.mjs"),
            *("--host", "127.0.0.1", "--port", "{port}"),
        ),
        _peer("mercurius", "mercurius.mjs"),
    )
}

PEERS: Final = tuple(target.name for target in TARGETS.values() if target.is_peer)


def find_default_targets(*, with_peers: bool) -> tuple[str, ...]:
    """Return what is measured where nothing is said: everything, but peers if asked."""
    return tuple(
        target.name for target in TARGETS.values() if with_peers or not target.is_peer
    )
