"""The bench's own machinery, as far as it needs no bench."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from e2e.artefacts import BuildFailed, Recipe, Workshop, build, folder_of, missing
from e2e.budget import ENDS, SET_UP_SHARE, VARIABLE, Budget, OutOfTime
from e2e.places import CHECKOUT, Places
from e2e.recipe_code import code_of
from e2e.recipes import ALL

GREETING = "hello"


def _say(shop: Workshop) -> None:
    (shop.folder / "said").write_text(_greeting())


def _greeting() -> str:
    return GREETING


def _sleep(shop: Workshop) -> None:
    shop.run("sleep", "60")


def _fail(shop: Workshop) -> None:
    shop.run("sh", "-c", "echo what went wrong; exit 3")


def ignore(_line: str) -> None:
    pass


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


def test_what_is_built_is_not_built_again(places: Places) -> None:
    recipe = Recipe("word", _say)
    build([recipe], places, ignore, Budget())
    assert (folder_of(recipe, places) / "said").read_text() == "hello"
    assert missing([recipe], places) == []


def test_a_recipe_that_fails_shows_its_log_and_ends_the_others(places: Places) -> None:
    began = time.monotonic()
    with pytest.raises(BuildFailed, match="what went wrong"):
        build([Recipe("bad", _fail), Recipe("long", _sleep)], places, ignore, Budget())
    assert time.monotonic() - began < 30


def test_what_takes_too_long_is_ended_and_named(places: Places) -> None:
    recipe = Recipe("long", _sleep)
    with pytest.raises(OutOfTime, match="long not built in time"):
        build([recipe], places, ignore, Budget(time.monotonic() + 0.1))
    assert missing([recipe], places) == [recipe]


def test_a_key_is_made_of_the_recipes_code_and_what_it_names() -> None:
    told = code_of(_say)
    assert "_greeting" in told
    assert "'hello'" in told
    assert "sleep" not in told
    assert Recipe("word", _say).key != Recipe("word", _sleep).key


def test_keys_are_the_same_in_each_process() -> None:
    for recipe in ALL:
        assert " at 0x" not in code_of(recipe.make), recipe.name


def test_minutes_limit_a_run_and_set_up_gets_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "10")
    budget = Budget.from_environment()
    assert 590 < budget.left <= 600
    assert 590 * SET_UP_SHARE < budget.share(SET_UP_SHARE).left <= 600 * SET_UP_SHARE
    assert budget.variables()
    monkeypatch.delenv(VARIABLE)
    assert math.isinf(Budget.from_environment().left)
    assert Budget.from_environment().variables() == {}
    assert math.isinf(Budget().share(SET_UP_SHARE).left)


def test_no_case_begins_after_the_time_is_up(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/e2e/test_bench.py", "--with-e2e"]
    environment = {"PATH": os.environ["PATH"], "AKS_WASM_E2E_CACHE": str(tmp_path), ENDS: "0"}
    ran = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
    assert "out of time" in ran.stdout
    assert re.fullmatch(r"\d+ skipped in .*", ran.stdout.splitlines()[-1])


def test_a_budget_that_is_used_up_is_not_negative() -> None:
    assert Budget(time.monotonic() - 5).left == 0.0
