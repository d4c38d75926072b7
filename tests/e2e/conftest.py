"""Real clusters: only with --with-e2e, and only where `scripts/e2e` has set the bench up."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.budget import ENDS
from tests.e2e.figures import Figures
from tests.e2e.machine import Machine
from tests.e2e.out_of_time import OutOfTime
from tests.e2e.second_chance import SecondChance

CASE_SECONDS = 600  # a cluster is made within the first case that needs it
# A run may be out of time before its last case: what stands for the most comes first.
ORDER = (
    "contract",
    "test_up_local",
    "test_runtime",
    "nodes",
    "test_doctor",
    "test_registry",
    "test_pools_local",
    "test_engines",
    "test_bench",
)
# Taken before the tests' own environment is made: it drops every AKS_WASM_ variable.
_MACHINE = Machine.from_environment(Path("/nonexistent"))
_ENDS = float(os.environ[ENDS]) if ENDS in os.environ else None
_FIGURES = Figures()


def pytest_configure(config: pytest.Config) -> None:
    here = Path(__file__).parent
    out_of_time = OutOfTime(here, _ENDS)
    config.pluginmanager.register(out_of_time, "out-of-time")
    config.pluginmanager.register(SecondChance(here, out_of_time), "second-chance")
    config.pluginmanager.register(_FIGURES, "figures")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    reason = _reason_to_skip(config)
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.timeout(CASE_SECONDS))
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))
    items.sort(key=lambda item: _rank(item.path, here))


def _rank(file: Path, here: Path) -> int:
    if here not in file.parents:
        return -1
    name = file.relative_to(here).with_suffix("").parts[0]
    return ORDER.index(name) if name in ORDER else len(ORDER)


def _reason_to_skip(config: pytest.Config) -> str | None:
    if not config.getoption("--with-e2e"):
        return "real clusters are tested with --with-e2e only: run scripts/e2e"
    if _MACHINE is None:
        return "no bench: run scripts/e2e, which sets it up and starts these tests"
    return None


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    assert _MACHINE is not None
    home = tmp_path_factory.mktemp("home")
    return Machine(_MACHINE.root, {**_MACHINE.environment, "HOME": str(home)})


@pytest.fixture(scope="session")
def figure() -> Callable[[str], None]:
    """Print a line at the end of the run."""
    return _FIGURES
