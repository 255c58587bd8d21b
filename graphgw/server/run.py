"""Serve the gateway: in this process, or in several on one socket."""

from __future__ import annotations

import functools
import gc
import importlib
import os
import shutil
import socket
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from graphgw.config.load import load_settings
from graphgw.config.settings import ServerSettings, Settings, SubgraphReference
from graphgw.errors import ConfigurationError, Problem
from graphgw.server.mailboxes import Mailboxes
from graphgw.server.workers import STARTUP_FAILED, Supervisor
from graphgw.sources.sdl_source import SupergraphSettings
from graphgw.sources.settings import ServiceSettings, find_problems

__all__ = ["ServeOptions", "serve"]

_METRICS_DIR: Final = "PROMETHEUS_MULTIPROC_DIR"
_URL: Final = "--subgraph-url"
_BACKLOG: Final = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What the command line says; it wins over the configuration file."""

    config: str | None = None
    supergraph: str | None = None
    subgraph: str | None = None
    """The one local subgraph to serve."""
    subgraph_urls: tuple[str, ...] = ()
    """Each as ``NAME=URL``."""
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
            supergraph = settings.supergraph or SupergraphSettings(location="")
            settings = replace(
                settings, supergraph=replace(supergraph, location=self.supergraph)
            )
        settings = replace(
            settings,
            subgraphs=self._subgraphs(settings),
            alone=self.subgraph or settings.alone,
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

    def _subgraphs(self, settings: Settings) -> tuple[SubgraphReference, ...]:
        """Return the configured subgraphs with the URLs that were given."""
        found = {reference.name: reference for reference in settings.subgraphs}
        problems = []
        for given in self.subgraph_urls:
            name, separator, url = given.partition("=")
            if not (name and separator):
                mend = "write it as NAME=URL"
                problems.append(Problem(f'"{given}" is no name and URL', _URL, mend))
                continue
            for problem in find_problems(ServiceSettings(name="", url=url)):
                where = f"{_URL} {name}"
                problems.append(Problem(problem.message, where, problem.mend))
            known = found.get(name) or SubgraphReference(name=name)
            found[name] = replace(known, python=None, url=url)
        if problems:
            raise ConfigurationError(problems)
        return tuple(found.values())


def serve(options: ServeOptions) -> None:
    """Serve until a signal ends it.

    Raises:
        ConfigurationError: The configuration is wrong.
        SystemExit: Several workers ended otherwise than well.
    """
    settings = options.load()
    listener = _listen(settings.server)
    try:
        if settings.server.workers > 1:
            code = _serve_with_workers(options, settings, listener)
            if code:
                sys.exit(code)
        else:
            _worker_module().run_worker(settings, listener, options.load)
    finally:
        listener.close()


def _serve_with_workers(
    options: ServeOptions, settings: Settings, listener: socket.socket
) -> int:
    count = settings.server.workers
    if settings.redis_url is None:
        sys.stdout.write(
            f"{count} workers: each counts rate limits and keeps caches for itself,"
            " because there is no redis_url\n"
        )
    folder = tempfile.mkdtemp(prefix="graphgw-metrics-")
    os.environ[_METRICS_DIR] = folder  # read when prometheus_client is imported
    worker = _worker_module()
    parent = os.getpid()
    mailboxes = Mailboxes(count)

    def work(place: int) -> int:
        try:
            worker.run_worker(
                settings,
                listener,
                options.load,
                metrics_folder=folder,
                parent=parent,
                relay=mailboxes.relay(place),
            )
        except ConfigurationError as error:
            for problem in error.problems:
                sys.stderr.write(f"{problem}\n")
            return STARTUP_FAILED
        return 0

    try:
        gc.freeze()
        forget = functools.partial(worker.forget_process, folder)
        return Supervisor(count, work, forget).run()
    finally:
        mailboxes.close()
        shutil.rmtree(folder, ignore_errors=True)


def _worker_module() -> Any:
    """Import what a worker needs, after the environment is as it must be."""
    return importlib.import_module("graphgw.server.worker")


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
