import threading
import time

import pytest

from graphgw.errors import PlanningError
from graphgw.operations.budget import Budget


def burn(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_a_budget_that_is_used_up_raises():
    budget = Budget(0.01)
    budget.check()
    burn(0.02)

    with pytest.raises(PlanningError) as caught:
        budget.check()

    assert caught.value.error_code == "PLANNING_TIMEOUT"
    assert "0.01 s" in caught.value.message


def test_waiting_costs_nothing():
    budget = Budget(0.05)
    threading.Event().wait(0.06)

    budget.check()


def test_a_budget_starts_anew_on_the_thread_that_works():
    budget = Budget(0.02)
    burn(0.03)
    outcomes: list[str] = []

    def work() -> None:
        budget.check()
        outcomes.append("started")
        burn(0.03)
        try:
            budget.check()
        except PlanningError:
            outcomes.append("ended")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert outcomes == ["started", "ended"]
