from graphgw.sources.bulkhead import Bulkhead


def test_no_more_calls_enter_than_there_are_places():
    places = Bulkhead(3)

    entered = [places.enter() for _ in range(5)]

    assert entered == [True, True, True, False, False]
    places.leave()
    assert places.enter()


def test_overload_takes_places_away_down_to_a_tenth():
    places = Bulkhead(100)

    places.shrink()
    once = places.limit
    for _ in range(100):
        places.shrink()

    assert once == 90
    assert places.limit == 10


def test_calls_that_go_well_bring_them_back():
    places = Bulkhead(100)
    for _ in range(10):
        places.shrink()
    shrunk = places.limit

    for _ in range(10_000):
        places.grow()

    assert shrunk == 34
    assert places.limit == 100
