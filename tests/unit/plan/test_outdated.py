from __future__ import annotations

from typing import Any

import pytest

from aks_wasm.kube.runtime_users import User, asks
from aks_wasm.plan.live import LiveObjects
from aks_wasm.plan.outdated import leaving_handlers, outdated_handlers
from aks_wasm.shims.catalogue import select
from aks_wasm.shims.installed import Present
from aks_wasm.shims.runtime_class import probe_runtime_class


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


def test_what_a_file_has_asked_for_leaves_with_its_entry_and_what_was_installed_by_hand_stays() -> None:
    spin, wasmtime, slight = select(("spin", "wasmtime", "slight"))
    objects: dict[tuple[str, str | None, str], dict[str, Any]] = {}
    for shim, asked in ((spin, True), (wasmtime, True), (slight, False)):
        found = probe_runtime_class(shim, owner="demo", taints=())
        found["metadata"]["annotations"] = {"aks-wasm.dev/asked-by": "file"} if asked else None
        objects["RuntimeClass", None, found["metadata"]["name"]] = found
    there = LiveObjects(objects, reachable=True)
    assert leaving_handlers((spin,), there) == {wasmtime.handler}
    assert leaving_handlers((), there) == {spin.handler, wasmtime.handler}


@pytest.mark.parametrize(
    ("kind", "runs", "needs"),
    [("Pod", True, True), ("Pod", False, False), ("Deployment", False, True), ("Job", False, False)],
)
def test_a_job_that_has_ended_needs_no_runtime(kind: str, runs: bool, needs: bool) -> None:
    assert asks(User(kind, "default", "x", "c", runs=runs, owner=None)) is needs
