"""What is on the nodes, read from the installer's own objects, and what a change makes of it."""

from __future__ import annotations

from typing import Any

import pytest

from aks_wasm.shims.catalogue import Shim, select
from aks_wasm.shims.installed import Change, Present
from aks_wasm.shims.installer import Binary, Installation, ProbeImage
from aks_wasm.spec.models import ClusterSpec, InstallerSpec, Metadata, Workload
from aks_wasm.steps.wanted import Wanted

NEW, OLD, WASMTIME = select(("spin", "spin@v0.23.0", "wasmtime"))
PROBES = {key: ProbeImage(f"local/{key}:1", b"tar") for key in ("probe-spin-completes", "probe-spin-serves")}


def present(*shims: Shim, **more: Any) -> Present:
    """Read back what an installation of these makes."""
    made = Installation("demo", shims, **more).manifests()
    config_map = next(m for m in made if m["kind"] == "ConfigMap" and m["metadata"]["name"] == "shim-installer")
    config_map["metadata"]["resourceVersion"] = "7"
    return Present.of(config_map, made[-1])


def test_what_was_installed_is_read_back() -> None:
    found = present(NEW, WASMTIME, image="mirror.local/busybox:1", max_unavailable=3)
    assert [(s.handler, s.command, s.engine) for s in found.shims] == [
        (s.handler, s.command, s.engine) for s in (NEW, WASMTIME)
    ]
    assert (found.image, found.turns, found.version, found.there) == ("mirror.local/busybox:1", 3, "7", True)


def test_nothing_there_is_nothing() -> None:
    assert Present.of(None, None) == Present()


def test_a_change_leaves_what_it_does_not_speak_of() -> None:
    found = present(OLD, image="mirror.local/busybox:1", max_unavailable=3)
    made = Change(add=(NEW,)).installation("demo", found, ())
    assert [shim.handler for shim in made.shims] == sorted([NEW.handler, OLD.handler])
    assert (made.image, made.max_unavailable) == ("mirror.local/busybox:1", 3)
    gone = Change(drop=frozenset({OLD.handler})).installation("demo", found, ())
    assert gone.shims == ()


def test_the_same_change_again_changes_nothing() -> None:
    change = Change(add=(NEW,), probes=PROBES, turns=2)
    first = change.installation("demo", Present(), ("a=b:NoSchedule",))
    again = change.installation("demo", present(*first.shims, probes=PROBES, max_unavailable=2), ("a=b:NoSchedule",))
    assert again.manifests() == first.manifests()
    assert again.content == first.content


def test_parts_of_a_binary_go_with_the_last_shim_that_needs_them() -> None:
    binary = Binary(b"\x7fELF" + bytes(100))
    own = Shim(
        name="mine",
        version="1",
        handler="aks-wasm-mine-1",
        runtime_type="io.containerd.mine.v1",
        binary="containerd-shim-mine-v1",
        platforms=(type(NEW.platforms[0])("amd64", f"parts://{binary.key}", "0" * 64),),
        runs=None,
        probe="completes",
    )
    found = present(own, NEW, binaries=(binary,))
    assert found.parts == {binary.key: 1}
    kept = Change(add=(OLD,)).installation("demo", found, ())
    assert kept.kept_parts == {binary.key: 1}
    gone = Change(drop=frozenset({own.handler})).installation("demo", found, ())
    assert gone.kept_parts == {}


def test_containerd_unpacks_by_itself_once_asked_and_until_told_otherwise() -> None:
    assert not Change(add=(NEW,)).installation("demo", Present(), ()).local_image_pull
    asked = Change(add=(NEW,), local_image_pull=True).installation("demo", Present(), ())
    assert asked.local_image_pull
    found = present(NEW, local_image_pull=True)
    assert Change(add=(OLD,)).installation("demo", found, ()).local_image_pull
    assert not Change(local_image_pull=False).installation("demo", found, ()).local_image_pull


@pytest.mark.parametrize(
    ("workload", "said", "pulls"),
    [
        ({"image": "r/web:1"}, None, True),
        ({"image": "r/web:1"}, False, False),
        ({"image": "r/web:1", "shim": "none"}, None, False),
        ({"module": "a.wasm"}, None, False),
        ({"module": "a.wasm"}, True, True),
    ],
)
def test_images_that_were_not_packaged_here_may_be_for_wasi(
    workload: dict[str, str], said: bool | None, pulls: bool
) -> None:
    spec = ClusterSpec(
        metadata=Metadata(name="demo"),
        installer=InstallerSpec(local_image_pull=said),
        workloads=(Workload(name="web", **workload),),  # type: ignore[arg-type]
    )
    installation = Wanted(spec, (NEW,)).installation({"wasm": "shim"})
    assert installation is not None
    assert installation.local_image_pull is pulls
