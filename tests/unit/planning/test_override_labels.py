import pytest

from graphgw.planning.override_labels import find_active_labels

SEEDS = [f"user-{number}" for number in range(2000)]


def share(label):
    return sum(bool(find_active_labels([label], seed)) for seed in SEEDS) / len(SEEDS)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        pytest.param("percent(0)", 0.0, id="none"),
        pytest.param("percent(100)", 1.0, id="all"),
        pytest.param("beta", 0.0, id="a-name"),
        pytest.param("percent(x)", 0.0, id="no-number"),
    ],
)
def test_a_label_is_active_for_all_or_none(label, expected):
    assert share(label) == expected


@pytest.mark.parametrize("percent", [5, 12.5, 50])
def test_a_part_of_the_seeds_makes_a_label_active(percent):
    assert share(f"percent({percent})") == pytest.approx(percent / 100, abs=0.04)


def test_a_seed_always_has_the_same_labels():
    labels = ["percent(30)", "percent(60)"]

    first, again = (
        [find_active_labels(labels, seed) for seed in SEEDS] for _ in range(2)
    )

    assert first == again
    assert len(set(first)) > 1


def test_without_labels_none_is_active():
    assert find_active_labels([], "user-1") == frozenset()
