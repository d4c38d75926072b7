"""What of this machine carries a local cluster: the container engine and kind. Limits are the provider's own check."""

from __future__ import annotations

from pathlib import Path

from aks_wasm.spec.models import ClusterSpec
from aks_wasm.workflows.doctor.findings import Check, Finding
from aks_wasm.workflows.doctor.ways import Ways

_PLACE = "this machine"


def look_at_machine(spec: ClusterSpec, home: Path, ways: Ways) -> tuple[list[Check], list[Finding]]:
    """Look for engine and kind, where the file's target is this machine and not its embedded engine.

    Args:
        spec: What is wanted.
        home: AKS_WASM_HOME, where a kind is kept that was downloaded.
        ways: How commands are written.
    """
    if spec.target != "local" or spec.local.engine == "embedded":
        return [], []
    from aks_wasm.providers.kind.engine import find_engine

    search = find_engine()
    if search.engine is None:
        about = f"no container engine answers: {search.why_none}"
        if spec.local.engine == "auto":
            return [Check("engine", "skipped", f"{about}; the embedded engine takes its place")], []
        said = next((error.details for error in search.refused if error.details), None)
        # One that is installed can be started; without any there is still the engine that needs none.
        command = "sudo systemctl start docker" if search.refused else ways.up("local.engine=embedded")
        finding = Finding("NoEngine", about, _PLACE, evidence=said, command=command)
        return [Check("engine", "found", "a container engine answers")], [finding]
    engine = search.engine
    about = f"{engine.program} {engine.version} answers ({engine.arch}, cgroup v{engine.cgroup})"
    check, findings = _kind(home)
    return [Check("engine", "ok", about), check], findings


def _kind(home: Path) -> tuple[Check, list[Finding]]:
    from aks_wasm.errors import AksWasmError
    from aks_wasm.providers.kind.binary import download_for, is_tested, on_path, releases, this_machine

    path, version = on_path()
    if path is not None and is_tested(version):
        return Check("kind", "ok", f"`{path}` is {_text(version)}, which this tool was tested with"), []
    tested = releases()["kind"]["tested"]
    of_path = f"`{path}` is {_text(version)}, " if path else "PATH has no kind, "
    try:
        wanted = download_for(home, *this_machine())
    except AksWasmError as error:
        finding = Finding("NoKind", f"{of_path}{error.message}", _PLACE, command=None, evidence=error.hint)
        return Check("kind", "found", f"kind from {tested['from']}, before {tested['before']}"), [finding]
    state = "is there" if wanted.place.exists() else f"is downloaded by `up` to {wanted.place}"
    return Check("kind", "ok", f"{of_path}{wanted.what} {state}"), []


def _text(version: tuple[int, int, int] | None) -> str:
    return "v" + ".".join(map(str, version)) if version else "of no version that it tells"
