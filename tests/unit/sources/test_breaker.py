from graphgw.sources.breaker import Breaker
from graphgw.sources.settings import BreakerSettings


def run(breaker, *, ok=0, failed=0):
    for _ in range(ok):
        breaker.succeed(breaker.admit())
    for _ in range(failed):
        breaker.fail(breaker.admit())


def test_fewer_failures_than_ten_requests_never_open_it(clock):
    breaker = Breaker(BreakerSettings(), clock)

    run(breaker, failed=9)

    assert breaker.admit()


def test_half_of_ten_requests_failing_opens_it_for_five_seconds(clock):
    breaker = Breaker(BreakerSettings(), clock)

    run(breaker, ok=5, failed=5)

    assert breaker.is_open
    assert not breaker.admit()
    clock.move(4.9)
    assert not breaker.admit()
    clock.move(0.2)
    assert breaker.admit()


def test_failures_older_than_the_window_are_forgotten(clock):
    breaker = Breaker(BreakerSettings(), clock)
    run(breaker, failed=9)

    clock.move(11.5)
    run(breaker, ok=9, failed=1)

    assert not breaker.is_open


def test_failures_within_the_window_add_up_across_its_slices(clock):
    breaker = Breaker(BreakerSettings(), clock)
    for _ in range(5):
        run(breaker, ok=1, failed=1)
        clock.move(1.5)

    assert breaker.is_open


def test_only_one_probe_is_let_through(clock):
    breaker = Breaker(BreakerSettings(), clock)
    run(breaker, failed=10)
    clock.move(5)

    tickets = [breaker.admit() for _ in range(10)]

    assert len([ticket for ticket in tickets if ticket]) == 1


def test_a_probe_that_succeeds_closes_it(clock):
    breaker = Breaker(BreakerSettings(), clock)
    run(breaker, failed=10)
    clock.move(5)

    breaker.succeed(breaker.admit())

    assert not breaker.is_open
    assert breaker.admit()


def test_each_failed_probe_doubles_the_wait_up_to_a_minute(clock):
    breaker = Breaker(BreakerSettings(), clock)
    run(breaker, failed=10)
    waits = []
    for _ in range(6):
        start = clock.now
        while not (ticket := breaker.admit()):
            clock.move(1)
        waits.append(clock.now - start)
        breaker.fail(ticket)

    assert waits == [5, 10, 20, 40, 60, 60]


def test_a_probe_without_outcome_makes_way_for_the_next(clock):
    breaker = Breaker(BreakerSettings(), clock)
    run(breaker, failed=10)
    clock.move(5)

    breaker.release(breaker.admit())

    assert breaker.admit()


def test_stragglers_from_before_it_opened_do_not_settle_the_probe(clock):
    breaker = Breaker(BreakerSettings(), clock)
    straggler = breaker.admit()
    run(breaker, failed=10)
    clock.move(5)
    probe = breaker.admit()

    breaker.fail(straggler)
    breaker.succeed(straggler)

    assert breaker.is_open
    breaker.succeed(probe)
    assert not breaker.is_open


def test_it_never_opens_when_switched_off(clock):
    breaker = Breaker(BreakerSettings(is_enabled=False), clock)

    run(breaker, failed=100)

    assert breaker.admit()
