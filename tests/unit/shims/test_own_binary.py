from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from aks_wasm.errors import UsageError
from aks_wasm.shims.own_binary import own_shim, read_own_binary, runtime_type_of
from tests.journeys.given_cluster import elf


def test_name_version_and_handler_come_from_the_name_and_the_content(tmp_path: Path) -> None:
    path = elf(tmp_path, "containerd-shim-mine-v1", "arm64", b"content")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    binary = read_own_binary("mine", path)
    assert (binary.arch, binary.sha256) == ("arm64", digest)
    shim = own_shim([binary])
    assert (shim.version, shim.handler) == (digest[:12], f"aks-wasm-mine-{digest[:12]}")
    assert (shim.runtime_type, shim.binary) == ("io.containerd.mine.v1", "containerd-shim-mine-v1")
    assert [(p.arch, p.location, p.sha256) for p in shim.platforms] == [("arm64", f"parts://{digest[:12]}", digest)]


def test_another_build_is_another_version_beside_it(tmp_path: Path) -> None:
    shims = [own_shim([read_own_binary("mine", elf(tmp_path, "shim", "amd64", text))]) for text in (b"1", b"2")]
    assert len({shim.handler for shim in shims}) == 2


def test_both_architectures_make_one_version_whatever_their_order(tmp_path: Path) -> None:
    both = [read_own_binary("mine", elf(tmp_path, f"{arch}/shim", arch)) for arch in ("amd64", "arm64")]
    assert own_shim(both) == own_shim(both[::-1])
    assert [platform.arch for platform in own_shim(both).platforms] == ["amd64", "arm64"]


def test_an_own_build_of_a_known_shim_is_asked_for_as_that_shim(tmp_path: Path) -> None:
    spin = own_shim([read_own_binary("spin", elf(tmp_path, "containerd-shim-spin-v2"))])
    assert (spin.command, spin.http_port) == (("/",), 80)


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("containerd-shim-spin-v2", "io.containerd.spin.v2"),
        ("containerd-shim-my-own-v12", "io.containerd.my-own.v12"),
        ("shim", "/opt/aks-wasm/mine/abc/shim"),
        ("containerd-shim-spin", "/opt/aks-wasm/mine/abc/containerd-shim-spin"),
    ],
)
def test_containerd_finds_it_by_its_files_name_or_by_path(file: str, kind: str) -> None:
    assert runtime_type_of("mine", "abc", file) == kind


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("mine", None, "there is no such file"),
        ("mine", b"", "no ELF header"),
        ("mine", b"MZ" + bytes(40), "no ELF header"),
        ("mine", b"\x7fELF\x02\x01" + bytes(12) + b"\xf3\x00", "ELF machine 243"),
        ("mine", b"\x7fELF\x02\x02" + bytes(12) + b"\x00\x16", "ELF machine 22"),
        ("Mine", b"", "`Mine` is no name for a shim"),
        ("m" * 41, b"", "is no name for a shim"),
    ],
)
def test_what_can_be_no_shim_is_told_with_the_way_out(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_own_binary(name, path)
    assert message in caught.value.message
    assert caught.value.hint


def test_two_files_for_one_architecture_or_of_two_names_are_refused(tmp_path: Path) -> None:
    first, second = (read_own_binary("mine", elf(tmp_path, f"{n}/shim", "amd64", n.encode())) for n in "12")
    with pytest.raises(UsageError, match="are both for amd64"):
        own_shim([first, second])
    other = read_own_binary("mine", elf(tmp_path, "other", "arm64"))
    with pytest.raises(UsageError, match="different names: `other`, `shim`"):
        own_shim([first, other])
