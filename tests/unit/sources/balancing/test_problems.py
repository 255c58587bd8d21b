"""Settings of several addresses that an operator must mend, and their short forms."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphgw.config.load import load_settings_text
from graphgw.errors import ConfigurationError
from graphgw.sources.balancing.settings import AddressSettings
from graphgw.sources.settings import ServiceSettings, find_problems

HEAD = "services:\n  product:\n    urls: [http://a, http://b]\n"


GRPC = "services:\n  order:\n    urls: ['grpc://a:1', 'grpc://b:2']\n"


def load(text: str) -> object:
    return load_settings_text(text, Path("graphgw.yaml"), {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HEAD.replace("http://b", "http://a"), "there twice"),
        (HEAD.replace("http://b", "http://b/api"), "different paths"),
        (HEAD.replace("http://b", "ftp://b"), "no http or https URL"),
        (HEAD + "    balance: consistent_hash\n", "none to hash"),
        (HEAD + "    balance: {header: x-a}\n", "it is not used"),
        (HEAD + "    balance: by_luck\n", "balance"),
        (HEAD + "    health_check: health\n", "is no path"),
        (HEAD + "    split: {group: canary}\n", 'no address is in "canary"'),
        (HEAD + "    split: {group: stable}\n", "in another group"),
        (HEAD + "    split: {group: stable, share: 1.5}\n", "at most 1"),
        (
            HEAD + "    split: {group: stable, pins: {a: stable}}\n",
            "none to look at",
        ),
        (
            "services:\n  product: {url: http://a, health_check: /health}\n",
            "one address only",
        ),
        (
            "services:\n  order: {url: 'grpc://a:1', balance: weighted}\n",
            "is for services with urls",
        ),
        (GRPC.replace("grpc://b:2", "http://b:2"), "no grpc or grpcs URL"),
        (GRPC.replace("grpc://b:2", "grpc://b"), "not grpc://host:port"),
        (GRPC.replace("grpc://b:2", "grpc://b:2/path"), "not grpc://host:port"),
        (GRPC.replace("grpc://b:2", "grpc://a:1"), "there twice"),
        (GRPC.replace("b:2", "b:two"), "is no URL"),
        (GRPC + "    addresses: ['10.0.0.1:1']\n", "beside urls"),
        (GRPC + "    grpc_client: grpcio\n", "knows addresses only"),
        (GRPC + "    has_health_check: true\n", "use health_check"),
        (GRPC + "    health_check: {path: /health}\n", "is for HTTP services"),
        (GRPC + f"    health_check: {'a' * 128}\n", "is no name"),
        (GRPC + "    split: {group: canary}\n", 'no address is in "canary"'),
        (HEAD + "    health_check: {path: /health, service: a}\n", "for gRPC"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_told(text: str, expected: str):
    with pytest.raises(ConfigurationError, match=expected):
        load(text)


def test_the_short_forms_mean_the_long_ones():
    found = load(HEAD + "    balance: least_outstanding\n    health_check: /health\n")

    service = found.services[0]  # type: ignore[attr-defined]
    assert service.urls == (
        AddressSettings(url="http://a"),
        AddressSettings(url="http://b"),
    )
    assert service.balance.method == "least_outstanding"
    assert service.health_check.path == "/health"


def test_urls_of_grpc_make_a_grpc_service():
    text = GRPC.replace("grpc://", "grpcs://") + "    health_check: shop.Orders\n"

    service = load(text).services[0]  # type: ignore[attr-defined]

    assert service.kind == "grpc"
    assert service.tls is not None
    assert service.urls[1] == AddressSettings(url="grpcs://b:2")
    assert service.health_check.service == "shop.Orders"


def test_grpcs_needs_tls_where_settings_are_made_by_hand():
    settings = ServiceSettings(
        name="order", kind="grpc", urls=(AddressSettings(url="grpcs://a:1"),)
    )

    assert [problem.where for problem in find_problems(settings)] == [
        "services.order.tls"
    ]
