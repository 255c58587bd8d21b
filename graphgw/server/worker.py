"""What one worker process runs: a gateway, its observers and its server."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from graphgw.gateway import Gateway
from graphgw.server.app import create_app
from graphgw.server.drain import DrainingServer
from graphgw.server.freed_memory import keep_freed_memory
from graphgw.server.reconfiguration import Reconfiguration
from graphgw.telemetry.logs import LogObserver
from graphgw.telemetry.metrics import MetricsObserver, forget_process

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from graphgw.config.settings import Settings
    from graphgw.server.mailboxes import WorkerRelay
    from graphgw.telemetry.observer import Observer

__all__ = ["forget_process", "run_worker"]


def run_worker(
    settings: Settings,
    listener: socket.socket,
    load: Callable[[], Settings],
    *,
    metrics_folder: str | None = None,
    parent: int | None = None,
    relay: WorkerRelay | None = None,
) -> None:
    """Serve until a signal ends it.

    Args:
        settings: Everything the gateway is told.
        listener: The socket to accept from.
        load: Reads the settings again, when the process is sent SIGHUP.
        metrics_folder: Where several workers add up their metrics.
        parent: The process without which this one has no reason to go on.
        relay: Tells other workers what is invalidated, and hears it from them.

    Raises:
        ConfigurationError: The gateway cannot start.
    """
    keep_freed_memory()
    metrics = MetricsObserver(metrics_folder)
    telemetry = settings.telemetry
    log = LogObserver(telemetry.log_format, telemetry.log_level)
    observers: list[Observer] = [metrics, log]
    gateway = Gateway(settings=settings, observers=observers, relay=relay)
    front = create_app(gateway, metrics=metrics)
    server = DrainingServer(
        gateway,
        front,
        lambda: parent is None or os.getppid() == parent,
        Reconfiguration(gateway, load),
        metrics.note_memory,
        relay,
    )
    try:
        server.run(sockets=[listener])
    finally:
        log.flush()
