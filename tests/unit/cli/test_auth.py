"""``graphgw auth matrix``: who may have which field, as text to be compared."""

from __future__ import annotations

from support.command import graphgw_in_process as graphgw


def test_the_example_s_matrix_names_its_guarded_fields():
    done = graphgw("auth", "matrix")

    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}
    assert (done.returncode, done.stderr) == (0, "")
    head = rows.pop("field")
    assert head[:2] == ["anonymous", "authenticated"]
    total = dict(zip(head, rows["Order.total"], strict=True))
    assert total["anonymous"] == total["authenticated"] == "-"
    assert total["orders:read"] == "yes"


def test_a_command_without_its_part_tells_what_there_is():
    done = graphgw("auth")

    assert done.returncode != 0
    assert "matrix" in graphgw("auth", "--help").stdout
