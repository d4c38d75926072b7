from __future__ import annotations

import re

import pytest

from aks_wasm.emulator.node.engines.spin import check_version
from aks_wasm.emulator.node.engines.spin_manifest import SpinApplication
from aks_wasm.emulator.node.errors import ShimError
from aks_wasm.errors import SpecInvalid
from aks_wasm.shims.catalogue import Shim, _catalogue, preview_shim, problems, select
from aks_wasm.spec.models import CustomShim, ShimPlatform

SUM = "0" * 64


def custom(name: str = "mine", **fields: object) -> CustomShim:
    platform = ShimPlatform(arch="amd64", location="https://example.com/shim.tar.gz", sha256=SUM)
    given: dict[str, object] = {"runtime_type": "io.containerd.mine.v1", "platforms": (platform,), **fields}
    return CustomShim(name=name, **given)  # type: ignore[arg-type]


def every_shim() -> list[Shim]:
    return [select((f"{name}@{version}",))[0] for name, data in _catalogue().items() for version in data["versions"]]


def test_a_name_means_the_newest_version() -> None:
    (spin,) = select(("spin",))
    assert (spin.version, spin.handler, spin.runtime_class) == (
        "v0.25.1",
        "aks-wasm-spin-v0-25-1",
        "aks-wasm-spin-v0-25-1",
    )
    assert (spin.runtime_type, spin.binary) == ("io.containerd.spin.v2", "containerd-shim-spin-v2")
    assert [platform.arch for platform in spin.platforms] == ["amd64", "arm64"]
    assert spin.platforms[1].location.endswith("v0.25.1/containerd-shim-spin-v2-linux-aarch64.tar.gz")
    assert spin.platforms[1].sha256 == "5ca9c9207a146a182dc9c870eaaad1afbf64e1d9a4781228dbf6e7ef90ff2e1f"
    assert not spin.pinned


def test_a_version_can_be_pinned_with_and_without_its_v() -> None:
    with_v, without = select(("spin@v0.24.0", "spin@0.24.0"))[0], select(("spin@0.24.0",))[0]
    assert with_v.version == without.version == "v0.24.0"
    assert with_v.pinned


def test_every_entry_of_the_catalogue_is_whole() -> None:
    for shim in every_shim():
        assert re.fullmatch(r"aks-wasm-[a-z0-9-]{1,50}", shim.handler)
        assert re.fullmatch(r"io\.containerd\.[a-z]+\.v[12]", shim.runtime_type)
        for platform in shim.platforms:
            assert platform.location.startswith("https://github.com/")
            assert "{" not in platform.location
            assert platform.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", platform.sha256)


def test_every_fact_names_where_it_was_read_and_when() -> None:
    for shim in every_shim():
        stated = {"engine"} | ({"preview"} if shim.preview else set())
        stated |= {"sha256"} if any(platform.sha256 for platform in shim.platforms) else set()
        assert stated <= set(shim.proof), shim.handler
        for sources in shim.proof.values():
            assert sources
            assert all(re.search(r" \(20\d\d-\d\d-\d\d\)$", source) for source in sources)
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", shim.date)


def test_newer_versions_come_first() -> None:
    for data in _catalogue().values():
        dates = [str(version["date"]) for version in data["versions"].values()]
        assert dates == sorted(dates, reverse=True)


@pytest.mark.parametrize(
    ("entry", "manifests", "triggers"),
    [
        ("spin@v0.15.1", (1, 2), ("http", "redis", "sqs", "command")),
        ("spin@v0.8.0", (1,), ("http",)),
    ],
)
def test_what_a_spin_shim_runs_is_what_its_sources_say(
    entry: str, manifests: tuple[int, ...], triggers: tuple[str, ...]
) -> None:
    runs = select((entry,))[0].runs
    assert runs is not None
    assert (runs.spin_manifest, runs.triggers) == (manifests, triggers)


def test_the_emulated_node_runs_exactly_the_applications_that_the_catalogue_says() -> None:
    apps = {
        ("command", 2): SpinApplication(2, "x", ("command",), (), ()),
        ("http", 2): SpinApplication(2, "x", ("http",), (), ()),
        ("http", 1): SpinApplication(1, "x", ("http",), (), ()),
    }
    for shim in every_shim():
        if shim.name != "spin" or shim.runs is None:
            continue
        for (trigger, manifest), app in apps.items():
            said = trigger in shim.runs.triggers and manifest in shim.runs.spin_manifest
            assert runs_there(app, shim.version) == said, (shim.version, trigger, manifest)


def runs_there(app: SpinApplication, version: str) -> bool:
    try:
        check_version(app, version)
    except ShimError:
        return False
    return True


def test_no_two_archives_have_the_same_sum() -> None:
    sums = [p.sha256 for shim in every_shim() for p in shim.platforms if p.sha256]
    assert len(sums) == len(set(sums))


def test_a_misspelt_name_is_answered_with_the_near_one() -> None:
    (problem,) = problems(("spiin",))
    assert (problem.field, problem.message, problem.hint) == (
        "shims.0",
        "there is no shim `spiin`",
        "did you mean `spin`?",
    )
    assert "known are spin" in (problems(("krustlet",))[0].hint or "")


def test_an_unknown_version_is_answered_with_the_known_ones() -> None:
    (problem,) = problems(("spin", "spin@v9"))
    assert problem.field == "shims.1"
    assert "v0.25.1" in (problem.hint or "")


def test_select_tells_every_problem_at_once() -> None:
    with pytest.raises(SpecInvalid) as caught:
        select(("spiin", "wasmtine"))
    assert len(caught.value.problems) == 2


def test_what_nobody_verified_is_not_installed_but_may_come_with_a_preview_pool() -> None:
    (problem,) = problems(("slight",))
    assert "SHA-256" in problem.message
    assert "custom entry" in (problem.hint or "")
    assert problems(("slight",), install=False) == []
    assert problems(("spin", "wasmtime", "wasmedge")) == []
    assert problems(("wasmtime@v0.6.0", "wasmer", "wws", "lunatic"))


def test_a_custom_shim_gets_a_handler_of_its_own_or_the_one_it_names() -> None:
    (plain,) = select((custom(version="1.2"),))
    assert (plain.handler, plain.binary, plain.runs) == ("aks-wasm-mine-1-2", "containerd-shim-mine-v1", None)
    (named,) = select((custom(handler="fast", runtime_type="/opt/bin/containerd-shim-fast-v1"),))
    assert (named.handler, named.runtime_class, named.binary) == ("fast", "fast", "containerd-shim-fast-v1")


def test_two_shims_of_one_handler_are_refused() -> None:
    (problem,) = problems((custom("a", handler="same"), custom("b", handler="same")))
    assert "`same` is taken" in problem.message


def test_none_is_no_shim() -> None:
    assert select(("none", "spin")) == select(("spin",))
    assert problems(("none",)) == []


@pytest.mark.parametrize(
    ("entry", "runtime_class", "handler", "label"),
    [
        ("spin", "wasmtime-spin-v2", "spin-v0-15-1", "kubernetes.azure.com/wasmtime-spin-v2"),
        ("spin@v0.15.1", "wasmtime-spin-v2", "spin-v0-15-1", "kubernetes.azure.com/wasmtime-spin-v2"),
        ("spin@v0.8.0", "wasmtime-spin-v1", "spin-v0-8-0", "kubernetes.azure.com/wasmtime-spin-v1"),
        ("slight", "wasmtime-slight-v1", "slight", "kubernetes.azure.com/wasmtime-slight-v1"),
    ],
)
def test_preview_pools_bring_runtimes_under_the_services_names(
    entry: str, runtime_class: str, handler: str, label: str
) -> None:
    brought = preview_shim(select((entry,))[0])
    assert brought is not None
    runtime = brought.preview
    assert runtime is not None
    assert (runtime.runtime_class, runtime.handler, runtime.node_label) == (runtime_class, handler, label)


def test_preview_pools_bring_no_other_versions_and_no_other_shims() -> None:
    assert preview_shim(select(("spin@v0.25.1",))[0]) is None
    assert preview_shim(select(("wasmtime",))[0]) is None
    assert preview_shim(select((custom(),))[0]) is None
    brought = preview_shim(select(("spin",))[0])
    assert brought is not None
    assert (brought.version, brought.probe) == ("v0.15.1", "completes")
