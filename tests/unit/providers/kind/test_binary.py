from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from aks_wasm.errors import ServiceError, Unreachable
from aks_wasm.providers.kind import binary
from aks_wasm.providers.kind.binary import download_for, is_tested, kind_program, parse_version, releases
from aks_wasm.providers.kind.download import Wanted, fetch
from tests.unit.providers.kind.standins import program


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


@pytest.fixture
def pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The releases as they are, but for a file that is here and what it hashes to."""
    content = b"#!/bin/sh\necho downloaded\n"
    source = tmp_path / "release"
    source.write_bytes(content)
    sums = dict.fromkeys(
        (f"{system}-{arch}" for system in ("linux", "darwin") for arch in ("amd64", "arm64")),
        hashlib.sha256(content).hexdigest(),
    )
    known = releases()
    download = {"version": "v0.33.0", "location": f"file://{source}", "sha256": sums}
    changed = {**known, "kind": {**known["kind"], "download": download}}
    monkeypatch.setattr(binary, "releases", lambda: changed)
    return content


@pytest.mark.parametrize(
    ("said", "tested"),
    [
        ("kind v0.33.0 go1.26.8 linux/amd64", True),
        ("kind v0.30.0 go1.24 linux/amd64", True),
        ("kind v0.29.0 go1.24 linux/amd64", False),
        ("kind v0.34.0-alpha+1 go1.26 linux/amd64", False),
        ("something else", False),
    ],
)
def test_only_versions_that_were_tested_are_taken(said: str, tested: bool) -> None:
    assert is_tested(parse_version(said)) is tested


def test_the_kind_of_the_path_is_used(path: Path, tmp_path: Path) -> None:
    found = program(path, "kind", "echo kind v0.33.0 go1.26.8 linux/amd64")
    assert kind_program(tmp_path / "home") == str(found)


@pytest.mark.parametrize("script", ["echo kind v0.20.0 go1.21 linux/amd64", "exit 1", "echo nonsense"])
def test_another_kind_of_the_path_is_left_alone(path: Path, tmp_path: Path, pinned: bytes, script: str) -> None:
    program(path, "kind", script)
    home = tmp_path / "home"
    assert kind_program(home) == str(home / "bin" / "kind-v0.33.0")
    assert (home / "bin" / "kind-v0.33.0").read_bytes() == pinned


def test_a_download_happens_once(path: Path, tmp_path: Path, pinned: bytes) -> None:
    first = kind_program(tmp_path / "home")
    (tmp_path / "release").unlink()
    assert kind_program(tmp_path / "home") == first
    assert Path(first).stat().st_mode & 0o111


def test_offline_the_file_its_place_and_its_hash_are_named(tmp_path: Path) -> None:
    place = tmp_path / "home" / "bin" / "kind-v0.33.0"
    with pytest.raises(Unreachable, match=r"kind v0\.33\.0 for linux-amd64 cannot be fetched") as caught:
        fetch(Wanted("kind v0.33.0 for linux-amd64", "http://127.0.0.1:1/kind", "b" * 64, place))
    assert caught.value.hint == f"offline, put that file at `{place}`; its SHA-256 must be {'b' * 64}"
    assert list(place.parent.iterdir()) == []


def test_a_file_put_in_place_by_hand_is_taken_and_a_wrong_one_is_not(tmp_path: Path) -> None:
    place = tmp_path / "kind"
    place.write_bytes(b"right")
    wanted = Wanted("kind", "http://127.0.0.1:1/kind", hashlib.sha256(b"right").hexdigest(), place)
    assert fetch(wanted) == place
    place.write_bytes(b"wrong")
    with pytest.raises(Unreachable):
        fetch(wanted)


@pytest.mark.parametrize("system", ["linux", "darwin", "windows"])
@pytest.mark.parametrize("arch", ["amd64", "arm64"])
def test_every_machine_has_its_pin_or_a_clear_refusal(tmp_path: Path, system: str, arch: str) -> None:
    if (system, arch) == ("windows", "arm64"):
        with pytest.raises(ServiceError, match="not known here, so it is not downloaded"):
            download_for(tmp_path, system, arch)
        return
    wanted = download_for(tmp_path, system, arch)
    assert wanted.location.endswith(f"/v0.33.0/kind-{system}-{arch}")
    assert re.fullmatch(r"[0-9a-f]{64}", wanted.sha256)
