from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from aks_wasm.emulator.clock import Pace


@pytest.mark.parametrize(("text", "factor"), [("0", 0.0), ("0.01", 0.01), ("real", 1.0), ("2", 2.0)])
def test_a_pace_is_a_factor_or_real(text, factor):
    assert Pace.parse(text).factor == factor


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "fast", ""])
def test_what_is_no_pace_is_refused(text):
    with pytest.raises(ValueError):
        Pace.parse(text)


async def test_pace_nought_waits_for_nothing_but_gives_others_a_turn():
    turns = []
    other = asyncio.create_task(asyncio.to_thread(turns.append, "other"))
    await asyncio.wait_for(Pace(0).spend(3600), timeout=1)
    await other
    assert turns == ["other"]


def test_a_moment_ahead_is_scaled():
    ahead = Pace(0.5).after(100) - datetime.now(UTC)
    assert timedelta(seconds=49) < ahead <= timedelta(seconds=50)
