"""TLS towards backends: always verified, with the host's name."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphgw.sources.settings import TLSSettings

__all__ = ["build_tls_context"]


def build_tls_context(settings: TLSSettings | None) -> ssl.SSLContext:
    """Return a context that trusts the system's authorities, or those given.

    Raises:
        OSError: A file cannot be read or is not PEM.
    """
    cafile = settings.ca_file if settings is not None else None
    context = ssl.create_default_context(cafile=cafile)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings is not None and settings.certificate_file is not None:
        context.load_cert_chain(settings.certificate_file, settings.key_file)
    return context
