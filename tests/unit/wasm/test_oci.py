from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import tomllib
from pathlib import Path
from typing import Any

import pytest

from aks_wasm.errors import AksWasmError, SpecInvalid, UsageError
from aks_wasm.wasm.archive import ImageArchive
from aks_wasm.wasm.oci import ImageContent, content_of, package, repository_name
from aks_wasm.wasm.toml_text import to_toml

HELLO = Path(__file__).parents[3] / "aks_wasm" / "hello"
REPOSITORY = "registry.example/team/hello-web"


def layout(archive: ImageArchive) -> dict[str, bytes]:
    with tarfile.open(archive.path) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def blob(files: dict[str, bytes], digest: str) -> bytes:
    data = files[f"blobs/sha256/{digest.removeprefix('sha256:')}"]
    assert digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
    return data


def manifests(archive: ImageArchive) -> list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]:
    files = layout(archive)
    index = json.loads(blob(files, archive.digest))
    found = []
    for descriptor in index["manifests"]:
        manifest = json.loads(blob(files, descriptor["digest"]))
        found.append((descriptor["platform"], manifest, json.loads(blob(files, manifest["config"]["digest"]))))
    return found


def layer(archive: ImageArchive) -> dict[str, tarfile.TarInfo]:
    files = layout(archive)
    _, manifest, config = manifests(archive)[0]
    content = gzip.decompress(blob(files, manifest["layers"][0]["digest"]))
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(content).hexdigest()}"]
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return {member.name: member for member in tar}


def test_a_module_becomes_an_image_for_both_architectures(tmp_path: Path) -> None:
    archive = package(content_of(HELLO / "job" / "task.wasm"), repository=REPOSITORY, folder=tmp_path)
    found = manifests(archive)
    assert [platform for platform, _, _ in found] == [
        {"architecture": "amd64", "os": "linux"},
        {"architecture": "arm64", "os": "linux"},
    ]
    assert [config["architecture"] for _, _, config in found] == ["amd64", "arm64"]
    assert all(config["config"]["Entrypoint"] == ["/app.wasm"] for _, _, config in found)
    assert found[0][1]["layers"] == found[1][1]["layers"]
    assert layer(archive)["app.wasm"].mode == 0o755


def test_the_archive_names_the_image_for_containerd(tmp_path: Path) -> None:
    archive = package(content_of(HELLO / "job" / "task.wasm"), repository=REPOSITORY, folder=tmp_path)
    files = layout(archive)
    (descriptor,) = json.loads(files["index.json"])["manifests"]
    assert descriptor["digest"] == archive.digest
    assert descriptor["annotations"] == {
        "org.opencontainers.image.ref.name": archive.name,
        "io.containerd.image.name": archive.name,
    }
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}


def test_the_same_content_gives_the_same_bytes_and_other_content_another_name(tmp_path: Path) -> None:
    one = package(content_of(HELLO / "job" / "task.wasm"), repository=REPOSITORY, folder=tmp_path / "a")
    two = package(content_of(HELLO / "job" / "task.wasm"), repository=REPOSITORY, folder=tmp_path / "b")
    other = package(content_of(HELLO / "probe" / "probe.wasm"), repository=REPOSITORY, folder=tmp_path / "b")
    assert one.name == two.name
    assert one.path.read_bytes() == two.path.read_bytes()
    assert other.name != one.name
    assert len(one.name.rpartition(":")[2]) == 12
    assert [path.suffix for path in (tmp_path / "b").iterdir()] == [".tar", ".tar"]


def test_an_archive_that_is_there_is_kept_and_a_broken_one_is_written_again(tmp_path: Path) -> None:
    content = content_of(HELLO / "job" / "task.wasm")
    first = package(content, repository=REPOSITORY, folder=tmp_path)
    stamp = first.path.stat().st_mtime_ns
    assert package(content, repository=REPOSITORY, folder=tmp_path) == first
    assert first.path.stat().st_mtime_ns == stamp
    elsewhere = package(content, repository="other.example/hello-web", folder=tmp_path)
    assert elsewhere.path == first.path
    assert layout(elsewhere)["index.json"].count(b"other.example") == 2
    first.path.write_bytes(first.path.read_bytes()[:1000])
    assert package(content, repository=REPOSITORY, folder=tmp_path) == first
    assert layout(first)["oci-layout"]


def test_paths_may_be_long_and_in_any_script(tmp_path: Path) -> None:
    path = f"assets/{'a' * 120}/{'ü' * 70}.html"
    archive = package(ImageContent({path: b"x"}, ("/",)), repository=REPOSITORY, folder=tmp_path)
    _, manifest, _ = manifests(archive)[0]
    layer = gzip.decompress(blob(layout(archive), manifest["layers"][0]["digest"]))
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        assert path in tar.getnames()


def test_content_that_moves_between_files_is_other_content() -> None:
    assert ImageContent({"a": b"xy", "b": b""}, ()).tag != ImageContent({"a": b"x", "b": b"y"}, ()).tag


def test_a_spin_application_is_packaged_with_a_manifest_that_fits(tmp_path: Path) -> None:
    content = content_of(HELLO / "service" / "spin.toml")
    assert content.entrypoint == ("/",)
    manifest = tomllib.loads(content.files["spin.toml"].decode())
    assert manifest["component"]["hello"]["source"] == "components/hello.wasm"
    assert manifest["trigger"]["http"][0]["executor"] == {"type": "wagi"}
    assert content.files["components/hello.wasm"] == (HELLO / "service" / "hello.wasm").read_bytes()
    archive = package(content, repository=REPOSITORY, folder=tmp_path)
    assert set(layer(archive)) == {"spin.toml", "components", "components/hello.wasm"}


def test_what_components_see_becomes_folders_since_the_shim_mounts_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "static" / "deep").mkdir(parents=True)
    for name in ("static/index.html", "static/notes.tmp", "static/deep/a.css", "data.json", "secret.txt"):
        (tmp_path / name).write_text(name)
    (tmp_path / "app.wasm").write_bytes((HELLO / "probe" / "probe.wasm").read_bytes())
    (tmp_path / "spin.toml").write_text(
        """
        spin_manifest_version = 2
        [application]
        name = "files"
        [[trigger.http]]
        route = "/..."
        component = "web"
        [component.web]
        source = "app.wasm"
        files = ["static", { source = "data.json", destination = "/config/data.json" }]
        exclude_files = ["*.tmp"]
        [component.web.build]
        command = "make"
        """
    )
    content = content_of(tmp_path / "spin.toml")
    assert {path for path in content.files if path.startswith("files/")} == {
        "files/web/static/index.html",
        "files/web/static/deep/a.css",
        "files/web/config/data.json",
    }
    component = tomllib.loads(content.files["spin.toml"].decode())["component"]["web"]
    assert component == {
        "source": "components/web.wasm",
        "files": [{"source": "files/web", "destination": "/"}],
    }


def test_everything_that_is_missing_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "spin.toml").write_text(
        """
        spin_manifest_version = "1"
        name = "broken"
        trigger = { type = "http" }
        [[component]]
        id = "a"
        source = "missing.wasm"
        files = ["nothing/*"]
        trigger = { route = "/a" }
        [[component]]
        id = "b"
        source = { url = "https://example.com/b.wasm", digest = "sha256:00" }
        files = ["../outside"]
        trigger = { route = "/b" }
        """
    )
    (tmp_path.parent / "outside").write_text("x")
    with pytest.raises(SpecInvalid) as caught:
        content_of(tmp_path / "spin.toml")
    text = str(caught.value)
    assert "there is no file" in text
    assert "nothing is at `nothing/*`" in text
    assert "comes from https://example.com/b.wasm" in text
    assert "leads outside" in text


def test_a_module_that_is_no_webassembly_is_not_packaged(tmp_path: Path) -> None:
    (tmp_path / "app.wasm").write_text("hello")
    with pytest.raises(UsageError, match="is not WebAssembly"):
        content_of(tmp_path / "app.wasm")


def test_a_folder_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(AksWasmError, match="cannot be written") as caught:
        package(ImageContent({"a": b""}, ("/",)), repository="r/x", folder=tmp_path / "file")
    assert "AKS_WASM_HOME" in (caught.value.hint or "")


def test_repositories_are_named_after_cluster_and_workload() -> None:
    assert repository_name("reg.azurecr.io/", "hello", "web") == "reg.azurecr.io/hello-web"


def test_toml_reads_back_as_it_was() -> None:
    document = {
        "title": 'quote " back \\ tab \t line \n',
        "ключ": "unicode ☃ \x7f \x01",
        "numbers": [1, 2.5, True],
        "empty": {},
        "mixed": [{"a": 1}, "b"],
        "table": {"x y": {"deep": [{"one": {"two": 2}}, {"three": []}]}},
    }
    assert tomllib.loads(to_toml(document)) == document
