from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from aks_wasm.errors import ServiceError, Unreachable
from aks_wasm.providers.kind import shims
from aks_wasm.providers.kind.folder import ClusterFolder
from aks_wasm.shims.catalogue import Shim, select
from aks_wasm.spec.models import CustomShim

BINARY = "containerd-shim-own-v1"
HANDLER = "aks-wasm-own-custom"


def elf(machine: int = 62) -> bytes:
    return b"\x7fELF\x02\x01\x01" + bytes(11) + machine.to_bytes(2, "little") + b"the rest of it"


def tar_gz(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def shim(folder: Path, content: bytes, *, sha256: str | None = None, arch: str = "amd64") -> Shim:
    path = folder / "download"
    path.write_bytes(content)
    custom = CustomShim.model_validate(
        {
            "name": "own",
            "runtimeType": "io.containerd.own.v1",
            "platforms": [
                {"arch": arch, "location": f"file://{path}", "sha256": sha256 or hashlib.sha256(content).hexdigest()}
            ],
        }
    )
    (found,) = select((custom,))
    return found


@pytest.fixture
def folder(tmp_path: Path) -> ClusterFolder:
    return ClusterFolder.of(tmp_path / "home", "hello")


def provide(found: Shim, folder: ClusterFolder) -> Path:
    shims.provide((found,), "amd64", folder.root.parents[1], folder)
    return folder.shims / HANDLER / BINARY


@pytest.mark.parametrize("content", [elf(), tar_gz(("./" + BINARY, elf())), tar_gz(("LICENSE", b"x"), (BINARY, elf()))])
def test_a_shim_is_put_where_the_nodes_see_it(tmp_path: Path, folder: ClusterFolder, content: bytes) -> None:
    found = shim(tmp_path, content)
    placed = provide(found, folder)
    assert placed.read_bytes() == elf()
    assert placed.stat().st_mode & 0o777 == 0o755
    assert shims.in_node((found,)) == {HANDLER: f"/opt/aks-wasm/provided/shims/{HANDLER}/{BINARY}"}
    assert shims.not_provided((found,), "amd64", folder) == []
    assert shims.sums((found,), folder) == {HANDLER: hashlib.sha256(elf()).hexdigest()}


def test_a_shim_that_is_there_is_not_fetched_again(tmp_path: Path, folder: ClusterFolder) -> None:
    found = shim(tmp_path, elf())
    provide(found, folder)
    (tmp_path / "download").unlink()
    provide(found, folder)


def test_the_cache_serves_the_next_cluster_offline(tmp_path: Path, folder: ClusterFolder) -> None:
    found = shim(tmp_path, elf())
    provide(found, folder)
    (tmp_path / "download").unlink()
    other = ClusterFolder.of(folder.root.parents[1], "other")
    assert provide(found, other).exists()


def test_another_file_of_the_same_name_replaces_the_old_one(tmp_path: Path, folder: ClusterFolder) -> None:
    provide(shim(tmp_path, elf()), folder)
    newer = shim(tmp_path, elf() + b"newer")
    assert shims.not_provided((newer,), "amd64", folder) == [newer]
    assert provide(newer, folder).read_bytes() == elf() + b"newer"


def test_what_does_not_hash_right_is_never_unpacked(tmp_path: Path, folder: ClusterFolder) -> None:
    with pytest.raises(ServiceError, match="SHA-256 is") as caught:
        provide(shim(tmp_path, elf(), sha256="0" * 64), folder)
    assert caught.value.code == "ChecksumMismatch"
    assert not folder.shims.exists()
    assert list((tmp_path / "home" / "cache" / "shims").iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (elf(183), "is for arm64, the nodes are amd64"),
        (elf(243), "is for ELF machine 243"),
        (b"#!/bin/sh\nexit 0\n" + bytes(20), "is no Linux program"),
        (b"\x7fELF", "is no Linux program"),
        (tar_gz(("other", elf())), "there is no file"),
        (tar_gz(("../../" + BINARY + "/", b"")), "there is no file"),
        (b"\x1f\x8bnot really", "cannot be unpacked"),
    ],
)
def test_what_the_nodes_cannot_run_is_refused(
    tmp_path: Path, folder: ClusterFolder, content: bytes, message: str
) -> None:
    with pytest.raises(ServiceError, match=message):
        provide(shim(tmp_path, content), folder)
    assert not (folder.shims / HANDLER / BINARY).exists()


def test_paths_in_an_archive_lead_nowhere(tmp_path: Path, folder: ClusterFolder) -> None:
    placed = provide(shim(tmp_path, tar_gz(("../../../" + BINARY, elf()))), folder)
    assert placed.read_bytes() == elf()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["download", "home"]


def test_a_shim_for_other_machines_only_is_a_problem(tmp_path: Path) -> None:
    (problem,) = shims.problems((shim(tmp_path, elf(), arch="arm64"),), "amd64")
    assert problem.field == "shims.0"
    assert "not given for amd64" in problem.message


def test_offline_the_place_and_the_hash_are_named(tmp_path: Path, folder: ClusterFolder) -> None:
    custom = CustomShim.model_validate(
        {
            "name": "own",
            "runtimeType": "io.containerd.own.v1",
            "platforms": [{"arch": "amd64", "location": "http://127.0.0.1:1/own.tar.gz", "sha256": "a" * 64}],
        }
    )
    (found,) = select((custom,))
    with pytest.raises(Unreachable, match=r"the shim own custom for amd64 cannot be fetched from http://127") as caught:
        provide(found, folder)
    assert str(tmp_path / "home" / "cache" / "shims" / ("a" * 64)) in (caught.value.hint or "")
    assert "a" * 64 in (caught.value.hint or "")
