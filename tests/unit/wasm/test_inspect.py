from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from wasmtime import wat2wasm

from aks_wasm.errors import UsageError
from aks_wasm.wasm.inspect import inspect

HELLO = Path(__file__).parents[3] / "aks_wasm" / "hello"


def built(folder: Path, wat: str) -> Path:
    path = folder / "app.wasm"
    path.write_bytes(wat2wasm(wat))
    return path


def test_a_wasi_p1_command_is_told_by_its_imports_and_its_start() -> None:
    file = inspect(HELLO / "probe" / "probe.wasm")
    assert (file.kind, file.wasi, file.exports_start) == ("module", "p1", True)
    assert file.import_modules == ("wasi_snapshot_preview1",)
    assert "wasi_snapshot_preview1.fd_write" in file.imports
    assert file.size == (HELLO / "probe" / "probe.wasm").stat().st_size


def test_every_kind_of_import_is_read_past(tmp_path: Path) -> None:
    file = inspect(
        built(
            tmp_path,
            """(module
                (import "a" "table" (table 1 2 funcref))
                (import "a" "memory" (memory 1 2))
                (import "b" "global" (global (mut i64)))
                (import "b" "function" (func (param i32)))
                (import "c" "reference" (global externref))
                (export "again" (func 0)))""",
        )
    )
    assert file.imports == ("a.table", "a.memory", "b.global", "b.function", "c.reference")
    assert file.import_modules == ("a", "b", "c")
    assert (file.exports, file.wasi, file.exports_start) == (("again",), None, False)


def test_a_component_that_handles_http_is_seen(tmp_path: Path) -> None:
    file = inspect(
        built(
            tmp_path,
            """(component
                (import "wasi:http/types@0.2.0" (instance $types (export "fields" (type (sub resource)))))
                (import "wasi:cli/environment@0.2.0" (instance))
                (import "log" (func (param "line" string)))
                (export "wasi:http/incoming-handler@0.2.0" (instance $types)))""",
        )
    )
    assert (file.kind, file.wasi, file.http_handler, file.exports_start) == ("component", "p2", True, False)
    assert file.imports == ("wasi:http/types@0.2.0", "wasi:cli/environment@0.2.0", "log")
    assert file.import_modules == ("wasi:http", "wasi:cli", "log")


def test_a_component_that_runs_as_a_command_is_seen(tmp_path: Path) -> None:
    file = inspect(built(tmp_path, '(component (instance $run) (export "wasi:cli/run@0.2.3" (instance $run)))'))
    assert file.exports_start
    assert file.wasi is None


def test_names_inside_a_nested_component_do_not_count(tmp_path: Path) -> None:
    file = inspect(built(tmp_path, '(component (component (import "inner" (func))) (import "outer" (func)))'))
    assert file.imports == ("outer",)


@pytest.mark.parametrize(
    ("content", "said", "hint"),
    [
        (b"", "is empty", "wasm32-wasip1"),
        (b"\x7fELF\x02\x01\x01", "is a Linux (ELF) program", "wasm32-wasip1"),
        (b"(module (func))", "is WebAssembly text (WAT)", "wasm-tools parse"),
        (b"spin_manifest_version = 2\n", "is a Spin manifest", "`source`"),
        (b"\x1f\x8b\x08\x00", "is compressed with gzip", "unpack it"),
        (b"PK\x03\x04", "is a zip archive", "unpack it"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a Git LFS pointer", "git lfs pull"),
        (b"<!DOCTYPE html><html>", "is an HTML page", "wasm32-wasip1"),
        (b"#!/bin/sh\n", "is a script", "wasm32-wasip1"),
        (b"hello there", "is text", "wasm32-wasip1"),
        (b"\x00\x01\x02\x03", "starts with the bytes 00 01 02 03", "wasm32-wasip1"),
        (b"MZ\x90\x00", "is a Windows program", "wasm32-wasip1"),
    ],
)
def test_what_is_no_webassembly_is_named(tmp_path: Path, content: bytes, said: str, hint: str) -> None:
    path = tmp_path / "app.wasm"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        inspect(path)
    assert said in caught.value.message
    assert str(path) in caught.value.message
    assert hint in (caught.value.hint or "")
    assert caught.value.exit_code == 2


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        inspect(tmp_path / "none.wasm")
    with pytest.raises(UsageError, match="is a folder"):
        inspect(tmp_path)


@pytest.mark.parametrize("length", [5, 7, 9, 20, 200, 439])
def test_a_file_that_is_cut_short_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "app.wasm"
    path.write_bytes((HELLO / "probe" / "probe.wasm").read_bytes()[:length])
    with pytest.raises(UsageError, match="cut short") as caught:
        inspect(path)
    assert caught.value.code == "WasmTruncated"


def test_bytes_that_make_no_sense_are_refused_and_never_loop(tmp_path: Path) -> None:
    path = tmp_path / "app.wasm"
    path.write_bytes(b"\0asm\x01\0\0\0\x02\x05\xff\xff\xff\xff\xff")
    with pytest.raises(UsageError):
        inspect(path)
    path.write_bytes(b"\0asm\x01\0\0\0\x02\x04\x01\x00\x00\x77")
    with pytest.raises(UsageError, match="unknown kind"):
        inspect(path)


def test_an_unknown_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "app.wasm"
    path.write_bytes(b"\0asm\x0a\x00\x01\x00")
    with pytest.raises(UsageError, match="unknown WebAssembly version"):
        inspect(path)


def test_looking_does_not_load_the_engine() -> None:
    code = "import sys, aks_wasm.wasm.inspect; raise SystemExit('wasmtime' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
