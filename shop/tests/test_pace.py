"""All heavy work together rests a multiple of its time while others ask."""

import pytest

from shop.core import pace


class _Time:
    """A clock that only rests advance."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    thread_time = monotonic

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Time:
    clock = _Time()
    monkeypatch.setattr(pace, "time", clock)
    monkeypatch.setattr(pace, "asked", pace.Asked())
    monkeypatch.setattr(pace, "_free_at", 0.0)
    return clock


def test_nobody_rests_where_nobody_asks(clock: _Time) -> None:
    assert pace.rest_after(0.1) == 0.0
    pace.asked.note("account:1")
    assert pace.rest_after(0.1) == pytest.approx(0.1 * pace.REST)
    clock.now += pace.NEAR_SECONDS + 1.0
    assert pace.rest_after(0.1) == 0.0


def test_all_heavy_work_together_has_one_share_of_the_time(clock: _Time) -> None:
    pace.asked.note("account:1")
    # Two have worked at once, for 10 ms each.
    clock.now += 0.01
    assert pace.rest_after(0.01) == pytest.approx(0.01 * pace.REST)
    assert pace.rest_after(0.01) == pytest.approx(0.01 * (2 * (1 + pace.REST) - 1))


def test_no_rest_is_longer_than_its_limit(clock: _Time) -> None:
    pace.asked.note("account:1")
    for _ in range(100):
        assert pace.rest_after(0.5) <= pace.DEBT_SECONDS


def test_a_loop_rests_after_a_slice(clock: _Time) -> None:
    loop = pace.Pace()
    began = clock.now
    pace.asked.note("account:1")
    loop.step()
    assert clock.now == began
    clock.now += 2 * pace.SLICE_SECONDS
    loop.step()
    assert clock.now == pytest.approx(began + 2 * pace.SLICE_SECONDS * (1 + pace.REST))


def test_nobody_gives_way_to_itself(clock: _Time) -> None:
    pace.asked.note("account:1")
    pace.asked.note("account:1")
    assert pace.asked.lately()
    assert not pace.asked.lately(but="account:1")
    assert pace.rest_after(0.1, but="account:1") == 0.0 < pace.rest_after(0.1)
    pace.asked.note("account:2")
    pace.asked.note("account:1")
    assert pace.asked.lately(but="account:1")
    clock.now += pace.NEAR_SECONDS + 1.0
    pace.asked.note("account:1")
    assert not pace.asked.lately(but="account:1")
