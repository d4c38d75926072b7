from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from aks_wasm.providers.base import ObservedCluster, ObservedNodePool
from aks_wasm.providers.kind import preflight
from aks_wasm.providers.kind.checks import arch_of_size, problems
from aks_wasm.providers.kind.engine import Engine
from aks_wasm.spec.models import ClusterSpec

DOCKER = Engine("docker", "28.2", "amd64", 2, rootless=False, storage=None)


def limits(folder: Path, instances: int = 8192, watches: int = 524288) -> Path:
    (folder / "max_user_instances").write_text(f"{instances}\n")
    (folder / "max_user_watches").write_text(f"{watches}\n")
    return folder


def spec(*pools: dict[str, object]) -> ClusterSpec:
    # An image that no engine has: nothing is asked of one.
    return ClusterSpec.model_validate(
        {"metadata": {"name": "hello"}, "nodePools": list(pools), "local": {"kubernetesVersion": "1.36"}}
    )


def test_enough_of_everything_is_no_problem(tmp_path: Path) -> None:
    assert preflight.problems(DOCKER, 3, image_is_there=True, limits=limits(tmp_path)) == []


def test_a_machine_without_those_limits_is_not_asked_for_them(tmp_path: Path) -> None:
    assert preflight.problems(DOCKER, 3, image_is_there=True, limits=tmp_path / "none") == []


def test_limits_of_inotify_are_compared_with_the_nodes(tmp_path: Path) -> None:
    """At 128 instances the seventh node's kubelet ended (facts real-cluster.md, section 5)."""
    assert preflight.problems(DOCKER, 6, image_is_there=True, limits=limits(tmp_path, 128)) == []
    (problem,) = preflight.problems(DOCKER, 7, image_is_there=True, limits=limits(tmp_path, 128))
    assert problem.message == "fs.inotify.max_user_instances is 128, and 7 nodes need 140"
    assert problem.hint == "raise it: `sudo sysctl fs.inotify.max_user_instances=512`"
    (problem,) = preflight.problems(DOCKER, 2, image_is_there=True, limits=limits(tmp_path, watches=8192))
    assert "max_user_watches" in problem.message


def test_free_space_is_compared_with_nodes_and_image(tmp_path: Path) -> None:
    engine = replace(DOCKER, storage=tmp_path)
    assert preflight.problems(engine, 1, image_is_there=True, limits=limits(tmp_path)) == []
    (problem,) = preflight.problems(engine, 1_000_000, image_is_there=False, limits=tmp_path / "none")
    assert "GiB are free at" in problem.message


def test_a_rootless_engine_needs_cgroup_2(tmp_path: Path) -> None:
    engine = replace(DOCKER, rootless=True, cgroup=1)
    (problem,) = preflight.problems(engine, 1, image_is_there=True, limits=limits(tmp_path))
    assert "cgroup v1" in problem.message


@pytest.mark.parametrize(
    ("size", "arch"),
    [
        ("Standard_D2ps_v5", "arm64"),
        ("Standard_D2pds_v6", "arm64"),
        ("Standard_E4pds_v5", "arm64"),
        ("Standard_D2plds_v5", "arm64"),
        ("Standard_D2s_v5", "amd64"),
        ("Standard_B2ms", "amd64"),
        ("Standard_DS2_v2", "amd64"),
        ("Standard_B2pts_v2", "arm64"),
        ("Standard_E4-2ads_v5", "amd64"),
    ],
)
def test_the_architecture_follows_from_an_azure_size(size: str, arch: str) -> None:
    assert arch_of_size(size) == arch


def there(*pools: ObservedNodePool) -> ObservedCluster:
    return ObservedCluster("hello", "Succeeded", "local", "1.36.4", {}, pools)


def test_pools_of_other_machines_are_a_problem() -> None:
    asked = spec({"name": "wasm", "vmSize": "Standard_D2ps_v5"})
    live = there(ObservedNodePool("wasm", "Succeeded", "User", 1, "amd64"))
    (problem,) = problems(asked, DOCKER, (), live)
    assert problem.field == "nodePools.0.vmSize"
    assert "nodePools.0.arch=amd64" in (problem.hint or "")


def test_a_pool_can_shrink_and_can_neither_grow_nor_come_later() -> None:
    live = there(ObservedNodePool("wasm", "Succeeded", "User", 2, "amd64"))
    assert problems(spec({"name": "wasm", "count": 1}), DOCKER, (), live) == []
    (problem,) = problems(spec({"name": "wasm", "count": 3}), DOCKER, (), live)
    assert "has 2, 3 are asked for" in problem.message
    (problem,) = problems(spec({"name": "wasm", "count": 2}, {"name": "more"}), DOCKER, (), live)
    assert problem.field == "nodePools.1"
    assert "can't add the node pool `more`" in problem.message
    assert "down" in (problem.hint or "")
