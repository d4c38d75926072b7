"""The committed modules are what their source builds."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from aks_wasm.spec.builtin import HELLO

REPOSITORY = Path(__file__).parents[2]
BUILT_WITH = "clang version 14.0.6"  # of Debian 12
MODULES = ("service/hello.wasm", "job/task.wasm", "probe/probe.wasm")


def compiler_that_built_them() -> bool:
    found = shutil.which("clang")
    if found is None:
        return False
    answer = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)
    has_libc = Path("/usr/lib/wasm32-wasi/libc.a").exists() and shutil.which("wasm-ld") is not None
    return BUILT_WITH in answer.stdout and has_libc


@pytest.mark.skipif(not compiler_that_built_them(), reason=f"needs {BUILT_WITH}, lld and wasi-libc, as in Debian 12")
def test_the_modules_are_built_from_their_source(tmp_path: Path) -> None:
    subprocess.run([REPOSITORY / "scripts" / "build-hello", tmp_path], check=True)
    for module in MODULES:
        assert (tmp_path / module).read_bytes() == (REPOSITORY / "aks_wasm" / "hello" / module).read_bytes(), module


def test_the_files_are_found_where_the_package_is_installed() -> None:
    assert all((HELLO / module).read_bytes()[:4] == b"\0asm" for module in MODULES)
    assert all((HELLO / part / "spin.toml").exists() for part in ("service", "job"))


def test_the_modules_are_small() -> None:
    assert all((REPOSITORY / "aks_wasm" / "hello" / module).stat().st_size < 64_000 for module in MODULES)
