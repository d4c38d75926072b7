"""Small images to run: a WASI p1 command, a wasi:http component, and an ordinary Linux program."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from e2e import versions
from e2e.archives import Image, write_archive
from e2e.artefacts import Recipe, Workshop
from e2e.places import SOURCES
from e2e.recipes.go_programs import go_environment
from e2e.recipes.shim import SHIM


def _apps(shop: Workshop) -> None:
    env = go_environment(shop.places)
    build = ("go", "build", "-ldflags", "-s -w", "-o")
    sources = SOURCES / "apps"
    wasm = {**env, "GOOS": "wasip1", "GOARCH": "wasm"}
    shop.run(*build, shop.folder / "task.wasm", "main.go", cwd=sources / "task", env=wasm)
    shop.run(*build, shop.folder / "web", "main.go", cwd=sources / "web", env=env)
    _component(shop)
    task, http, web = (shop.folder / name for name in ("task.wasm", "http.wasm", "web"))
    images = [
        Image("bench.local/task:1", {"app.wasm": task}, "/app.wasm"),
        Image("bench.local/task-wasi:1", {"app.wasm": task}, "/app.wasm", system="wasi", architecture="wasm"),
        Image("bench.local/http:1", {"app.wasm": http}, "/app.wasm"),
        Image("bench.local/web:1", {"web": web}, "/web"),
    ]
    write_archive(shop.folder / "apps.tar", images)


def _component(shop: Workshop) -> None:
    wit = shop.artefact(SHIM) / "wit"
    (world,) = re.findall(r"proxy@([0-9.]+);", (wit / "world.wit").read_text())
    work, tools = shop.folder / "source", shop.folder / "tools"
    shutil.copytree(SOURCES / "apps" / "http", work)
    shop.run(sys.executable, "-m", "venv", tools)
    shop.run(tools / "bin" / "pip", "install", "--quiet", f"componentize-py=={versions.COMPONENTIZE_PY}")
    make: list[str | Path] = [
        tools / "bin" / "componentize-py",
        "-d",
        wit,
        "-w",
        f"wasi:http/proxy@{world}",
        "componentize",
    ]
    shop.run(*make, "-p", work, "app", "-o", shop.folder / "http.wasm")
    shutil.rmtree(tools)
    shutil.rmtree(work)


APPS = Recipe("apps", _apps, (versions.COMPONENTIZE_PY,), ("apps", "archives.py"), (SHIM,))
