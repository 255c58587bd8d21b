from __future__ import annotations

import pytest

from graphgw.server.negotiate import JSON_TYPE, choose_media_type, prefers_html


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        pytest.param("text/html", True, id="html"),
        pytest.param("text/html,*/*;q=0.8", True, id="browser"),
        pytest.param("application/json, text/html;q=0.9", False, id="json-first"),
        pytest.param("text/html;q=0", False, id="no-html"),
        pytest.param("*/*", False, id="anything"),
        pytest.param(None, False, id="missing"),
    ],
)
def test_only_browsers_prefer_html(accept, expected):
    assert prefers_html(accept) is expected


@pytest.mark.parametrize("quality", ["nan", "inf", "-1", "1e9", "", "x"])
def test_a_wrong_quality_is_no_failure(quality):
    assert choose_media_type(f"{JSON_TYPE};q={quality}") in {JSON_TYPE, None}
