from graphgw.operations.cache import BoundedCache


def test_what_was_not_used_for_longest_goes_first():
    cache = BoundedCache[str, int](max_entries=2, max_bytes=100)
    cache.put("a", 1, 1)
    cache.put("b", 2, 1)

    assert cache.get("a") == 1
    cache.put("c", 3, 1)

    assert [key in cache for key in "abc"] == [True, False, True]


def test_bytes_are_bounded():
    cache = BoundedCache[str, int](max_entries=100, max_bytes=10)
    for number, key in enumerate("abcd"):
        cache.put(key, number, 4)

    assert len(cache) == 2
    assert cache.size == 8


def test_a_value_larger_than_the_cache_is_not_kept():
    cache = BoundedCache[str, int](max_entries=10, max_bytes=10)
    cache.put("a", 1, 5)

    cache.put("b", 2, 11)
    cache.put("a", 3, 11)

    assert len(cache) == 0
    assert cache.size == 0


def test_a_key_is_counted_once():
    cache = BoundedCache[str, int](max_entries=10, max_bytes=10)
    cache.put("a", 1, 5)
    cache.put("a", 2, 6)

    assert cache.get("a") == 2
    assert cache.size == 6


def test_hits_and_misses_are_counted():
    cache = BoundedCache[str, int](max_entries=10, max_bytes=10)
    cache.put("a", 1, 1)
    cache.get("a")
    cache.get("b")

    assert (cache.hits, cache.misses) == (1, 1)


def test_entries_can_be_dropped():
    cache = BoundedCache[str, int](max_entries=10, max_bytes=10)
    cache.put("a", 1, 1)
    cache.put("b", 1, 1)

    cache.discard("a")
    assert cache.size == 1
    cache.clear()
    assert (len(cache), cache.size) == (0, 0)


def test_a_cache_without_room_keeps_nothing():
    cache = BoundedCache[str, int](max_entries=0, max_bytes=10)
    cache.put("a", 1, 1)

    assert cache.get("a") is None


def test_what_was_asked_for_most_comes_first():
    cache = BoundedCache[str, int](max_entries=10, max_bytes=100)
    for number, key in enumerate("abc"):
        cache.put(key, number, 1)

    for key in "bcb":
        cache.get(key)

    assert cache.by_use() == [("b", 1), ("c", 2), ("a", 0)]
