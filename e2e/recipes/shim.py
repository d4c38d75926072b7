"""The Wasm shim: crates, on runwasi's library crate. The longest build of all."""

from __future__ import annotations

import shutil

from e2e.artefacts import Recipe, Workshop
from e2e.compilers import rustup_home
from e2e.places import SOURCES, Places

BINARY = "containerd-shim-wasmtime-v1"


def cargo_environment(places: Places) -> dict[str, str]:
    """Keep cargo's downloads in the bench's folder."""
    return {"CARGO_HOME": str(places.build / "cargo"), **rustup_home()}


def _shim(shop: Workshop) -> None:
    source = shop.folder / "source"
    target = shop.places.build / "cargo-target"  # outlives a build that was cut short
    shutil.copytree(SOURCES / "shim", source)
    env = {**cargo_environment(shop.places), "CARGO_TARGET_DIR": str(target)}
    shop.run("cargo", "build", "--locked", "--release", cwd=source, env=env)
    shutil.move(target / "release" / BINARY, shop.folder / BINARY)
    shutil.rmtree(target)
    _keep_interfaces(shop)
    shutil.rmtree(source)


def _keep_interfaces(shop: Workshop) -> None:
    """The crate that serves wasi:http brings its interface definitions; a component is made from the same."""
    registry = shop.places.build / "cargo" / "registry" / "src"
    (wit,) = registry.glob(f"*/wasmtime-wasi-http-{_locked_version('wasmtime-wasi-http')}/wit")
    shutil.copytree(wit, shop.folder / "wit")


def _locked_version(crate: str) -> str:
    lines = (SOURCES / "shim" / "Cargo.lock").read_text().splitlines()
    return lines[lines.index(f'name = "{crate}"') + 1].split('"')[1]


SHIM = Recipe("shim", _shim, (), ("shim",))
