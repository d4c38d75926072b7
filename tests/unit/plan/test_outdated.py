from __future__ import annotations

from typing import Any

import pytest

from aks_wasm.kube.runtime_users import User
from aks_wasm.plan.live import LiveObjects
from aks_wasm.plan.outdated import asks, outdated_handlers
from aks_wasm.shims.catalogue import select
from aks_wasm.shims.installed import Present


def live(*classes: str) -> LiveObjects:
    objects: dict[tuple[str, str | None, str], dict[str, Any]] = {
        ("RuntimeClass", None, name): {"kind": "RuntimeClass", "metadata": {"name": name}} for name in classes
    }
    return LiveObjects(objects, reachable=True)


def test_other_versions_of_the_files_shims_are_outdated() -> None:
    wanted = select(("spin",))
    there = live(
        "aks-wasm-spin-v0-25-1",
        "aks-wasm-probe-aks-wasm-spin-v0-25-1",
        "aks-wasm-spin-v0-24-0",
        "aks-wasm-spin-own-v1",
        "aks-wasm-wasmtime-v0-6-1",
        "wasmtime-spin-v2",
    )
    assert outdated_handlers(wanted, Present(), there) == {"aks-wasm-spin-v0-24-0"}
    assert outdated_handlers((), Present(), there) == frozenset()


def test_what_the_installer_lists_counts_without_its_runtime_class() -> None:
    present = Present(shims=select(("spin@v0.24.0", "wasmtime")))
    assert outdated_handlers(select(("spin",)), present, live()) == {"aks-wasm-spin-v0-24-0"}


@pytest.mark.parametrize(
    ("kind", "runs", "needs"),
    [("Pod", True, True), ("Pod", False, False), ("Deployment", False, True), ("Job", False, False)],
)
def test_a_job_that_has_ended_needs_no_runtime(kind: str, runs: bool, needs: bool) -> None:
    assert asks(User(kind, "default", "x", "c", runs=runs, owner=None)) is needs
