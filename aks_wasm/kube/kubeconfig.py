"""Kubeconfig files: an own one by default, merging on request, each of our contexts named `aks-wasm-NAME`.

Answers demand 16 of shared/facts/demands.md.
"""

from __future__ import annotations

import copy
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from aks_wasm.errors import AksWasmError, UsageError
from aks_wasm.waits import Clock, Patience, Seen, SystemClock, wait_until

_SECTIONS = ("clusters", "users", "contexts")
_LOCK_SECONDS = 10.0
_EMPTY: dict[str, Any] = {"apiVersion": "v1", "kind": "Config"}


def context_name(cluster: str) -> str:
    """Return the name of a cluster's context, and of its cluster and user entries."""
    return f"aks-wasm-{cluster}"


def own_file(home: Path, cluster: str) -> Path:
    """Return where the cluster's own kubeconfig is kept."""
    return home / "kubeconfigs" / f"{cluster}.yaml"


def default_file(environment: Mapping[str, str]) -> Path:
    """Return the file that kubectl changes: the first of KUBECONFIG that exists, its last, or ~/.kube/config."""
    listed = [Path(part) for part in environment.get("KUBECONFIG", "").split(os.pathsep) if part]
    if not listed:
        return Path.home() / ".kube" / "config"
    return next((path for path in listed if path.exists()), listed[-1])


def renamed(text: str, cluster: str) -> str:
    """Return a kubeconfig's current context alone, under our names.

    Raises:
        UsageError: The text is no kubeconfig, or its current context is not in it.
    """
    document = _parsed(text, "the kubeconfig")
    context = _entry(document, "contexts", document.get("current-context"), "context")
    name = context_name(cluster)
    kept = {key: value for key, value in context.items() if key not in ("cluster", "user")}
    return _dump(
        {
            **_EMPTY,
            "clusters": [{"name": name, "cluster": _entry(document, "clusters", context.get("cluster"), "cluster")}],
            "users": [{"name": name, "user": _entry(document, "users", context.get("user"), "user")}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name, **kept}}],
            "current-context": name,
        }
    )


def write(path: Path, text: str) -> None:
    """Write a kubeconfig, readable by its owner only; the old one stays whole until the new one is.

    Raises:
        AksWasmError: The place cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _replace(path, text)
    except OSError as error:
        raise _not_written(path, error) from error


def merge(path: Path, text: str, cluster: str, *, clock: Clock | None = None) -> str:
    """Put a cluster's context into a kubeconfig that others use too, and make it the current one.

    Nothing else in the file changes. Returns the context's name.

    Raises:
        UsageError: One of the two is no kubeconfig.
        AksWasmError: The file cannot be written, or stays locked by another program.
    """
    added = _parsed(renamed(text, cluster), "the kubeconfig")
    with _locked(path, clock or SystemClock()):
        document = _read(path)
        for section in _SECTIONS:
            names = {entry["name"] for entry in added[section]}
            others = [entry for entry in document.get(section) or () if entry.get("name") not in names]
            document[section] = [*others, *added[section]]
        document["current-context"] = added["current-context"]
        write(path, _dump(document))
    return context_name(cluster)


def remove(path: Path, cluster: str, *, clock: Clock | None = None) -> bool:
    """Take a cluster's context out of a kubeconfig; return whether it was there.

    Raises:
        UsageError: The file is no kubeconfig.
        AksWasmError: The file cannot be written, or stays locked by another program.
    """
    if not path.exists():
        return False
    name = context_name(cluster)
    with _locked(path, clock or SystemClock()):
        document = _read(path)
        found = False
        for section in _SECTIONS:
            entries = document.get(section) or []
            document[section] = [entry for entry in entries if entry.get("name") != name]
            found = found or len(document[section]) < len(entries)
        if document.get("current-context") == name:
            document["current-context"] = ""
            found = True
        if found:
            write(path, _dump(document))
    return found


@contextmanager
def _locked(path: Path, clock: Clock) -> Iterator[None]:
    """Hold the lock that kubectl and client-go use: a file `.lock` beside it that must not exist yet."""
    lock = path.with_name(f"{path.name}.lock")

    def take() -> Seen[None]:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return Seen("locked by another program")
        return Seen("ours", done=True)

    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        hint = f"if no other program is using it, delete `{lock}`"
        wait_until(take, what=f"the lock of `{path}`", patience=Patience(_LOCK_SECONDS, clock), hint=hint)
    except OSError as error:
        raise _not_written(path, error) from error
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def _replace(path: Path, text: str) -> None:
    target = path.resolve()  # a link stays a link
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")  # 0600 from the start
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _not_written(path: Path, error: OSError) -> AksWasmError:
    return AksWasmError(
        f"the kubeconfig `{path}` cannot be written: {error.strerror or error}",
        code="KubeconfigNotWritten",
        hint="name another place with `--file`, or free some space",
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return copy.deepcopy(_EMPTY)
    except OSError as error:
        raise UsageError(f"`{path}` cannot be read: {error.strerror or error}", code="KubeconfigInvalid") from error
    return _parsed(text, f"`{path}`") if text.strip() else copy.deepcopy(_EMPTY)


def _parsed(text: str, what: str) -> dict[str, Any]:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"{what} is not YAML: {error}", code="KubeconfigInvalid") from error
    if not isinstance(document, dict) or document.get("kind") != "Config":
        raise UsageError(f"{what} is not a kubeconfig (`kind: Config`)", code="KubeconfigInvalid")
    return document


def _entry(document: Mapping[str, Any], section: str, name: object, key: str) -> dict[str, Any]:
    for entry in document.get(section) or ():
        if entry.get("name") == name:
            return dict(entry.get(key) or {})
    raise UsageError(f"the kubeconfig names the {key} `{name}`, which is not in it", code="KubeconfigInvalid")


def _dump(document: Mapping[str, Any]) -> str:
    return str(yaml.safe_dump(dict(document), sort_keys=False))
