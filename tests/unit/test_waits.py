from __future__ import annotations

import pytest

from aks_wasm.errors import Interrupted, TimedOut
from aks_wasm.waits import LONGEST_PAUSE, LOST_SECONDS, Patience, Seen, Tolerant, wait_until
from tests.unit.clocks import FakeClock


def test_the_value_comes_back_once_done() -> None:
    states = iter([Seen("Creating"), Seen("Creating"), Seen("Succeeded", done=True, value=7)])
    assert wait_until(lambda: next(states), what="x", patience=Patience(60, FakeClock())) == 7


def test_a_time_out_tells_the_last_state() -> None:
    with pytest.raises(TimedOut, match=r"node pool `wasm` was not ready after 60 s \(last seen: Creating\)") as caught:
        wait_until(lambda: Seen("Creating"), what="node pool `wasm`", patience=Patience(60, FakeClock()), hint="wait")
    assert caught.value.hint == "wait"
    assert caught.value.exit_code == 5


def test_each_new_state_is_reported_once() -> None:
    heard: list[str] = []
    states = iter([Seen("a"), Seen("a"), Seen("b"), Seen("c", done=True)])
    wait_until(lambda: next(states), what="x", patience=Patience(60, FakeClock(), heard.append))
    assert heard == ["a", "b", "c"]


def test_pauses_grow_with_the_wait_and_stay_below_a_twentieth_of_it() -> None:
    clock = FakeClock()
    with pytest.raises(TimedOut):
        wait_until(lambda: Seen("a"), what="x", patience=Patience(1000, clock))
    assert clock.pauses[0] == 0.1
    assert max(clock.pauses) == LONGEST_PAUSE
    assert clock.pauses[:-1] == sorted(clock.pauses[:-1])


def test_the_pause_a_service_asks_for_is_kept() -> None:
    clock = FakeClock()
    states = iter([Seen("a", pause=7.0), Seen("b", done=True)])
    wait_until(lambda: next(states), what="x", patience=Patience(60, clock))
    assert clock.pauses == [7.0]


def test_an_interruption_ends_the_wait_and_names_what_was_waited_for() -> None:
    clock = FakeClock(on_pause=lambda _now: True)
    with pytest.raises(Interrupted, match="cluster `hello`") as caught:
        wait_until(lambda: Seen("Creating"), what="cluster `hello`", patience=Patience(60, clock))
    assert caught.value.exit_code == 130


def lost_for(seconds: float, clock: FakeClock) -> Tolerant[int]:
    def look() -> Seen[int]:
        if clock.time < seconds:
            raise ConnectionError
        return Seen("there", done=True, value=7)

    return Tolerant(look, clock, lambda error: isinstance(error, ConnectionError), pause=1.0)


def test_a_tolerant_look_outlives_silence_but_not_for_ever() -> None:
    clock, heard = FakeClock(), list[str]()
    patience = Patience(1000, clock, heard.append)
    assert wait_until(lost_for(LOST_SECONDS, clock), what="x", patience=patience) == 7
    assert heard == ["no answer; trying again", "there"]
    assert set(clock.pauses) == {1.0}
    with pytest.raises(ConnectionError):
        wait_until(lost_for(1000, clock := FakeClock()), what="x", patience=Patience(1000, clock))


def test_a_tolerant_look_raises_what_is_no_silence() -> None:
    def look() -> Seen[None]:
        raise ValueError

    with pytest.raises(ValueError):
        Tolerant(look, FakeClock(), lambda error: isinstance(error, ConnectionError))()
