from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aks_wasm.errors import ServiceError
from aks_wasm.providers.kind import image
from aks_wasm.providers.kind.binary import releases
from aks_wasm.providers.kind.engine import Engine
from aks_wasm.spec.models import ClusterSpec
from tests.contract.targets import patience
from tests.unit.providers.kind.standins import program

DOCKER = Engine("docker", "", "amd64", 2, rootless=False, storage=None)


def spec(cluster: str | None = None, **local: Any) -> ClusterSpec:
    document = {"metadata": {"name": "hello"}, "local": local, "cluster": {"kubernetesVersion": cluster}}
    return ClusterSpec.model_validate(document)


def test_every_image_is_pinned_by_digest() -> None:
    for version, reference in releases()["nodes"].items():
        assert reference.startswith(f"kindest/node:{version}@sha256:")
        assert len(reference.rpartition(":")[2]) == 64


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (spec(), "v1.36.4"),
        (spec(kubernetesVersion="1.35.8"), "v1.35.8"),
        (spec(kubernetesVersion="v1.37"), "v1.37.0"),
        (spec("1.34.9"), "v1.34.11"),  # AKS has that patch, kind the other
        (spec("1.34.9", kubernetesVersion="1.35"), "v1.35.8"),
    ],
)
def test_the_image_follows_the_version(asked: ClusterSpec, expected: str) -> None:
    assert image.choose(asked, 2).startswith(f"kindest/node:{expected}@")
    assert image.problems(asked, 2) == []


def test_an_image_of_ones_own_is_taken_as_it_is() -> None:
    assert image.choose(spec(nodeImage="my/node:1"), 1) == "my/node:1"
    assert image.problems(spec(nodeImage="my/node:1"), 1) == []


def test_with_cgroup_1_the_default_is_a_version_that_runs_there() -> None:
    assert image.choose(spec(), 1).startswith("kindest/node:v1.34.11@")


@pytest.mark.parametrize(
    "asked", [spec(kubernetesVersion="1.35"), spec("1.36.4"), spec(nodeImage="kindest/node:v1.37.0@sha256:1")]
)
def test_a_version_that_cgroup_1_cannot_carry_is_a_problem(asked: ClusterSpec) -> None:
    (problem,) = image.problems(asked, 1)
    assert "needs cgroup v2" in problem.message
    assert "local.kubernetesVersion=1.34.11" in (problem.hint or "")
    assert image.problems(asked, 2) == []


def test_an_unknown_version_is_a_problem_that_names_the_known_ones() -> None:
    (problem,) = image.problems(spec(kubernetesVersion="1.29"), 2)
    assert problem.field == "local.kubernetesVersion"
    assert "1.36.4, 1.37.0, 1.35.8, 1.34.11" in (problem.hint or "")
    with pytest.raises(ServiceError):
        image.choose(spec(kubernetesVersion="1.29"), 2)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def test_an_image_is_read_in_one_go(path: Path, tmp_path: Path) -> None:
    mark = image._MARK
    answer = "\n".join(("v1.36.4", mark, "version = 2", "", mark, "version = 4", mark, "containerd 2", mark, "cni", ""))
    program(path, "docker", f"case $1 in image) ;; run) cat <<'EOF'\n{answer}EOF\n;; *) exit 9;; esac")
    read = image.read(DOCKER, "kindest/node:x", tmp_path / "log", patience())
    assert (read.version, read.root, read.containerd, read.brings_network) == (
        "v1.36.4",
        "version = 2",
        "containerd 2",
        True,
    )


def test_an_image_that_is_none_of_kinds_is_named(path: Path, tmp_path: Path) -> None:
    program(path, "docker", "case $1 in image) ;; run) echo 'sh: not found' >&2; exit 127;; esac")
    with pytest.raises(ServiceError, match="`alpine` is no node image of kind"):
        image.read(DOCKER, "alpine", tmp_path / "log", patience())


def test_an_image_that_cannot_be_pulled_says_what_to_do_offline(path: Path, tmp_path: Path) -> None:
    program(path, "docker", "case $1 in image) exit 1;; pull) echo 'Error: no such host' >&2; exit 1;; esac")
    with pytest.raises(ServiceError, match="cannot pull the node image `kindest/node:x`") as caught:
        image.read(DOCKER, "kindest/node:x", tmp_path / "log", patience())
    assert "docker load" in (caught.value.hint or "")
    assert caught.value.details == "Error: no such host"
