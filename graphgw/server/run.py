"""Run the gateway under uvicorn: one process, or several on one socket."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import orjson
import uvicorn
from uvicorn.supervisors.multiprocess import Multiprocess

from graphgw.config.load import load_settings
from graphgw.config.settings import ServerSettings, Settings
from graphgw.errors import ConfigurationError, Problem
from graphgw.gateway import Gateway
from graphgw.server.app import create_app
from graphgw.sources.sdl_source import SupergraphSettings
from graphgw.telemetry.logs import LogObserver
from graphgw.telemetry.metrics import MetricsObserver

if TYPE_CHECKING:
    from graphgw.server.front import GraphQLFront
    from graphgw.telemetry.observer import Observer

__all__ = ["ServeOptions", "serve", "worker_app"]

_OPTIONS = "GRAPHGW_SERVE_OPTIONS"
_METRICS_DIR = "PROMETHEUS_MULTIPROC_DIR"
_BACKLOG = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What the command line says; it wins over the configuration file."""

    config: str | None = None
    supergraph: str | None = None
    host: str | None = None
    port: int | None = None
    workers: int | None = None
    log_format: Literal["json", "console"] | None = None

    def load(self) -> Settings:
        """Read the configuration and lay the options over it.

        Raises:
            ConfigurationError: The configuration is wrong.
        """
        settings = load_settings(Path(self.config)) if self.config else Settings()
        if self.supergraph is not None:
            settings = replace(
                settings, supergraph=SupergraphSettings(location=self.supergraph)
            )
        server = settings.server
        server = replace(
            server,
            host=self.host or server.host,
            port=server.port if self.port is None else self.port,
            workers=self.workers or server.workers,
        )
        telemetry = settings.telemetry
        if self.log_format is not None:
            telemetry = replace(telemetry, log_format=self.log_format)
        return replace(settings, server=server, telemetry=telemetry)


def serve(options: ServeOptions) -> None:
    """Serve until a signal ends it.

    Raises:
        ConfigurationError: The configuration is wrong.
    """
    settings = options.load().server
    os.environ[_OPTIONS] = orjson.dumps(asdict(options)).decode()
    folder = tempfile.mkdtemp(prefix="graphgw-metrics-")
    if settings.workers > 1:
        os.environ[_METRICS_DIR] = folder
    listener = _listen(settings)
    config = uvicorn.Config(
        "graphgw.server.run:worker_app",
        factory=True,
        workers=settings.workers,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=int(settings.keep_alive),
        timeout_graceful_shutdown=int(settings.shutdown_grace),
    )
    server = uvicorn.Server(config)
    try:
        if settings.workers > 1:
            Multiprocess(config, target=server.run, sockets=[listener]).run()
        else:
            server.run(sockets=[listener])
    finally:
        listener.close()
        shutil.rmtree(folder, ignore_errors=True)


def _listen(settings: ServerSettings) -> socket.socket:
    """Open the one socket that every worker accepts from, and say where it is.

    Raises:
        ConfigurationError: The address cannot be had.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        where = f"{settings.host}:{settings.port}"
        problem = Problem(f"cannot listen: {error.strerror}", where, "choose a port")
        raise ConfigurationError([problem]) from error
    listener.set_inheritable(True)
    host = f"[{settings.host}]" if family is socket.AF_INET6 else settings.host
    sys.stdout.write(f"listening on http://{host}:{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    return listener


def worker_app() -> GraphQLFront:
    """Build the application of one worker process from its environment."""
    options = ServeOptions(**orjson.loads(os.environ[_OPTIONS]))
    settings = options.load()
    metrics = MetricsObserver(os.environ.get(_METRICS_DIR))
    telemetry = settings.telemetry
    observers: list[Observer] = [
        metrics,
        LogObserver(telemetry.log_format, telemetry.log_level),
    ]
    return create_app(Gateway(settings=settings, observers=observers), metrics=metrics)
