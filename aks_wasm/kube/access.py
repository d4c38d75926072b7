"""The way into any cluster: a kubeconfig file and one of its contexts, as kubectl takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from aks_wasm.errors import UsageError

_PATHS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


@dataclass(frozen=True)
class ClusterAccess:
    """A kubeconfig file, and the context to take of it; None takes its current one."""

    file: Path
    context: str | None = None

    def text(self) -> str:
        """Return the kubeconfig with the context as its current one; paths in it no longer depend on the folder.

        Raises:
            UsageError: The file cannot be read, is no kubeconfig, or has no such context.
        """
        document = self._document()
        chosen = self.context or document.get("current-context") or ""
        names = [str(entry.get("name")) for entry in _entries(document, "contexts")]
        if chosen not in names:
            raise UsageError(
                f"`{self.file}` has no context `{chosen}`" if chosen else f"`{self.file}` has no current context",
                code="NoSuchContext",
                hint=f"give one of its own with `--context`: {', '.join(names) or 'it has none'}",
            )
        folder = self.file.absolute().parent
        for section, key in (("clusters", "cluster"), ("users", "user")):
            for entry in _entries(document, section):
                _make_absolute(entry.get(key) or {}, folder)
        return yaml.safe_dump({**document, "current-context": chosen})

    def arguments(self) -> list[str]:
        """Return the arguments that name the same cluster again, for kubectl and for our own commands alike."""
        return ["--kubeconfig", str(self.file), *(["--context", self.context] if self.context else [])]

    def _document(self) -> dict[str, Any]:
        try:
            document = yaml.safe_load(self.file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise UsageError(
                f"the kubeconfig `{self.file}` cannot be read: {getattr(error, 'strerror', None) or error}",
                code="KubeconfigInvalid",
            ) from error
        if not isinstance(document, dict) or document.get("kind", "Config") != "Config":
            raise UsageError(f"`{self.file}` is no kubeconfig", code="KubeconfigInvalid")
        return document


def _entries(document: Mapping[str, Any], section: str) -> list[dict[str, Any]]:
    return [entry for entry in document.get(section) or () if isinstance(entry, dict)]


def _make_absolute(entry: dict[str, Any], folder: Path) -> None:
    for key in _PATHS:
        if entry.get(key):
            entry[key] = str(folder / entry[key])
    command = (entry.get("exec") or {}).get("command", "")
    if "/" in command:
        entry["exec"]["command"] = str(folder / command)
