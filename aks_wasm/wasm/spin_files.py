"""The files of a packaged Spin application: its modules, what its components see, and a manifest that fits them.

The shim reads `/spin.toml` and mounts files directly: folders only, no globs, no `exclude_files` (containerd-shim-spin
source.rs, fermyon/spin crates/loader/src/local.rs). So what a component sees is put into a folder of its own here.
"""

from __future__ import annotations

import copy
import fnmatch
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from aks_wasm.errors import Problem, SpecInvalid, UsageError
from aks_wasm.wasm.inspect import inspect
from aks_wasm.wasm.spin_manifest import SpinApp, SpinComponent, SpinFile
from aks_wasm.wasm.toml_text import to_toml

MANIFEST = "spin.toml"


def app_files(app: SpinApp) -> dict[str, bytes]:
    """Return path inside the image (no leading slash) -> bytes, the manifest included.

    Raises:
        SpecInvalid: Files are missing, not WebAssembly, or outside the application's folder; every problem at once.
    """
    problems: list[Problem] = []
    files: dict[str, bytes] = {}
    for component in app.components:
        files |= _module(app, component, problems)
        for path, source in _seen_files(app, component, problems):
            files[f"{_files_folder(component)}/{path}"] = source.read_bytes()
    if problems:
        raise SpecInvalid(str(app.path), problems)
    files[MANIFEST] = to_toml(_manifest(app, files)).encode()
    return files


def _module_path(component: SpinComponent) -> str:
    return f"components/{component.id}.wasm"


def _files_folder(component: SpinComponent) -> str:
    return f"files/{component.id}"


def _module(app: SpinApp, component: SpinComponent, problems: list[Problem]) -> dict[str, bytes]:
    place = f"component.{component.id}.source"
    source = app.source_path(component)
    if source is None:
        what = component.remote.get("url") or component.remote.get("package", "a registry")
        problems.append(
            Problem(place, f"comes from {what}", "download it and name the file, so that the image is complete")
        )
        return {}
    try:
        inspect(source)
    except UsageError as error:
        problems.append(Problem(place, error.message, error.hint))
        return {}
    return {_module_path(component): source.read_bytes()}


def _seen_files(app: SpinApp, component: SpinComponent, problems: list[Problem]) -> Iterator[tuple[str, Path]]:
    root = app.path.parent.resolve()
    for entry in component.files:
        found = False
        for path, source in _matches(root, entry):
            inside = source.resolve()
            if not inside.is_relative_to(root):
                problems.append(
                    Problem(f"component.{component.id}.files", f"`{entry.source}` leads outside of `{root}`")
                )
                return
            found = True
            relative = inside.relative_to(root).as_posix()
            if not any(fnmatch.fnmatch(relative, pattern) for pattern in component.exclude_files):
                yield path, inside
        if not found:
            problems.append(Problem(f"component.{component.id}.files", f"nothing is at `{entry.source}`"))


def _matches(root: Path, entry: SpinFile) -> Iterator[tuple[str, Path]]:
    if entry.destination is not None:
        yield from _placed(root / entry.source, entry.destination)
        return
    pattern = entry.source.lstrip("/")
    if (root / pattern).is_dir():
        pattern = f"{pattern.rstrip('/')}/**/*"
    for path in sorted(root.glob(pattern)):
        if path.is_file():
            yield path.relative_to(root).as_posix(), path


def _placed(source: Path, destination: str) -> Iterator[tuple[str, Path]]:
    target = str(PurePosixPath(destination)).strip("/")
    if source.is_file():
        yield (f"{target}/{source.name}" if destination.endswith("/") else target).lstrip("/"), source
    for path in sorted(source.rglob("*")) if source.is_dir() else ():
        if path.is_file():
            yield f"{target}/{path.relative_to(source).as_posix()}".lstrip("/"), path


def _manifest(app: SpinApp, files: Mapping[str, bytes]) -> dict[str, Any]:
    document = copy.deepcopy(dict(app.document))
    if app.version == 1:
        for raw, component in zip(document["component"], app.components, strict=True):
            _fit(raw, component, files)
        return document
    named = document.setdefault("component", {})
    inline = {component.id: component for component in app.components if component.id not in named}
    for kind, entries in document["trigger"].items():
        for number, entry in enumerate(entries if isinstance(entries, list) else [entries]):
            if f"inline-{kind}-{number}" in inline and isinstance(entry.get("component"), Mapping):
                _fit(entry["component"], inline[f"inline-{kind}-{number}"], files)
    for component in app.components:
        if component.id in named:
            _fit(named[component.id], component, files)
    return document


def _fit(raw: dict[str, Any], component: SpinComponent, files: Mapping[str, bytes]) -> None:
    raw["source"] = _module_path(component)
    raw.pop("exclude_files", None)
    raw.pop("build", None)  # the commands of the developer's machine have no place on a node
    raw.pop("files", None)
    if any(path.startswith(f"{_files_folder(component)}/") for path in files):
        raw["files"] = [{"source": _files_folder(component), "destination": "/"}]
