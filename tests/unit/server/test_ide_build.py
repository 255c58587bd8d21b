"""The committed GraphiQL page is the one that the sources in `ide/` build."""

import hashlib
import json
from pathlib import Path

ROOT = Path(__file__).parents[3]
SOURCES = ROOT / "ide"
BUILT = ROOT / "graphgw" / "server" / "ide"
RECORD = json.loads((BUILT / "build.json").read_text())


def digests(folder: Path, paths: list[Path]) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in sorted(paths)
    }


def test_the_page_was_built_from_the_present_sources():
    paths = [
        path
        for path in SOURCES.rglob("*")
        if path.is_file()
        and "node_modules" not in path.parts
        and path.name != "README.md"
    ]

    assert digests(SOURCES, paths) == RECORD["sources"], "run `make ide`"


def test_the_built_files_are_as_the_build_left_them():
    paths = [
        path
        for path in BUILT.rglob("*")
        if path.is_file() and path.name != "build.json"
    ]

    assert digests(BUILT, paths) == RECORD["built"], "run `make ide`"


def test_the_page_names_only_files_that_are_shipped():
    page = (BUILT / "index.html").read_text()

    named = [part.split('"')[0] for part in page.split('"/graphiql/')[1:]]

    assert "config.json" in named
    assert [
        name for name in named if name != "config.json" and not (BUILT / name).is_file()
    ] == []


def test_notices_of_the_packages_on_the_page_are_shipped():
    notices = (BUILT / "THIRD_PARTY_LICENSES.txt").read_text()

    assert "\ngraphiql 5.4.0 (MIT)\n" in notices
    assert "\nmonaco-editor 0.52.2 (MIT)\n" in notices
