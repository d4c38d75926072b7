"""What pipelines want beside the log: step outputs, a job summary, errors where their pages show them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from aks_wasm.display.errors import hint_for
from aks_wasm.display.terminal import write_talk
from aks_wasm.display.text import one_line, redact
from aks_wasm.errors import AksWasmError

Talk: TypeAlias = Callable[[str], None]


class Pipeline(Protocol):
    """A pipeline service that this process runs in."""

    def begin(self, title: str) -> None:
        """Open a foldable part of the log."""

    def end(self) -> None:
        """Close it, if it is open."""

    def publish(self, document: Mapping[str, Any]) -> None:
        """Hand a cluster's result to later steps, and show it on the run's page."""

    def fail(self, error: AksWasmError) -> None:
        """Show an error on the run's page."""


def find_pipeline(environment: Mapping[str, str], talk: Talk = write_talk) -> Pipeline | None:
    """Return the pipeline service that the environment speaks of, if any.

    Args:
        environment: The process's variables.
        talk: Takes the commands that the service reads from the log; `print_nothing` where the log is for a program.
    """
    if environment.get("GITHUB_ACTIONS") == "true":
        return GitHubActions(environment, talk)
    if environment.get("TF_BUILD", "").lower() == "true":
        return AzurePipelines(talk)
    return None


def print_nothing(_text: str) -> None:
    """Drop a command."""


def outputs_of(document: Mapping[str, Any]) -> dict[str, str]:
    """Return what later steps want of a cluster's result: endpoint, cluster, resource-group and the whole result."""
    cluster = document.get("cluster") or {}
    endpoints = [workload["endpoint"] for workload in document.get("workloads", []) if workload.get("endpoint")]
    return {
        "endpoint": endpoints[0] if endpoints else "",
        "cluster": cluster.get("name") or "",
        "resource-group": cluster.get("resourceGroup") or "",
        "result": redact(json.dumps(document, ensure_ascii=False, default=str)),
    }


@dataclass
class GitHubActions:
    """GITHUB_OUTPUT, GITHUB_STEP_SUMMARY and workflow commands (docs.github.com, "Workflow commands").

    Commands go to stderr, which the runner reads as well as stdout; so stdout stays one document.
    """

    environment: Mapping[str, str]
    talk: Talk = write_talk
    _grouped: bool = field(default=False, init=False)

    def begin(self, title: str) -> None:
        """Open a group."""
        self.talk(f"::group::{_escaped(title)}\n")
        self._grouped = True

    def end(self) -> None:
        """Close the group."""
        if self._grouped:
            self.talk("::endgroup::\n")
        self._grouped = False

    def publish(self, document: Mapping[str, Any]) -> None:
        """Append to the files that the runner names."""
        # A random delimiter, so that no value can end its own block and begin another output.
        mark = f"aks_wasm_{secrets.token_hex(8)}"
        outputs = outputs_of(document)
        self._append("GITHUB_OUTPUT", "".join(f"{key}<<{mark}\n{text}\n{mark}\n" for key, text in outputs.items()))
        self._append("GITHUB_STEP_SUMMARY", job_summary(document))

    def fail(self, error: AksWasmError) -> None:
        """Write an `::error::` command."""
        self.end()
        title = _escaped(f"aks-wasm: {error.code}").replace(":", "%3A").replace(",", "%2C")
        self.talk(f"::error title={title}::{_escaped(_whole_message(error))}\n")

    def _append(self, variable: str, text: str) -> None:
        path = self.environment.get(variable)
        if not path:
            return
        try:
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            self.talk(f"::warning::{_escaped(f'{variable} could not be written: {error}')}\n")


@dataclass
class AzurePipelines:
    """Logging commands (learn.microsoft.com, "Logging commands"); the agent reads them from stderr too."""

    talk: Talk = write_talk
    _grouped: bool = field(default=False, init=False)

    def begin(self, title: str) -> None:
        """Open a group."""
        self.talk(f"##[group]{one_line(title)}\n")
        self._grouped = True

    def end(self) -> None:
        """Close the group."""
        if self._grouped:
            self.talk("##[endgroup]\n")
        self._grouped = False

    def publish(self, document: Mapping[str, Any]) -> None:
        """Set output variables: AKS_WASM_ENDPOINT, AKS_WASM_CLUSTER, AKS_WASM_RESOURCE_GROUP, AKS_WASM_RESULT."""
        for key, value in outputs_of(document).items():
            name = f"AKS_WASM_{key.replace('-', '_').upper()}"
            self.talk(f"##vso[task.setvariable variable={name};isOutput=true]{_vso_escaped(value)}\n")

    def fail(self, error: AksWasmError) -> None:
        """Log an issue."""
        self.end()
        code = _vso_property(error.code)
        self.talk(f"##vso[task.logissue type=error;code={code}]{_vso_escaped(_whole_message(error))}\n")


STATE_SIGNS = {"done": "✅", "failed": "❌", "skipped": "⏭️", "not-run": "⏭️", "planned": "🔜"}


def job_summary(document: Mapping[str, Any]) -> str:
    """Return the result as Markdown: the headline, the error, workloads and steps."""
    cluster = document.get("cluster") or {}
    verb = str(document["kind"]).removesuffix("Result").lower()
    lines = [f"### {'✅' if document['ok'] else '❌'} aks-wasm {verb} {_cell(cluster.get('name') or '')}".rstrip(), ""]
    error = document.get("error")
    if error:
        lines += [f"**{_cell(error['message'])}**", ""] + ([_cell(error["hint"]), ""] if error.get("hint") else [])
    lines += _markdown_table(document.get("workloads", []), ("name", "ready", "replicas", "endpoint"))
    steps = [{**step, "state": _signed(step["state"])} for step in document.get("steps", [])]
    lines += _markdown_table(steps, ("state", "name", "seconds"))
    return redact("\n".join(lines)) + "\n"


def _signed(state: str) -> str:
    return f"{STATE_SIGNS.get(state, '')} {state}".strip()


def _markdown_table(records: list[dict[str, Any]], keys: tuple[str, ...]) -> list[str]:
    if not records:
        return []
    head = [f"| {' | '.join(keys)} |", f"|{' --- |' * len(keys)}"]
    return [*head, *(f"| {' | '.join(_cell(record.get(key)) for key in keys)} |" for record in records), ""]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = "yes" if value is True else "no" if value is False else str(value)
    return one_line(text).replace("|", "\\|").replace("<", "&lt;")


def _whole_message(error: AksWasmError) -> str:
    hint = hint_for(error)
    return redact(error.message + (f"\nhint: {hint}" if hint else ""))


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _vso_escaped(text: str) -> str:
    return text.replace("%", "%AZP25").replace("\r", "%0D").replace("\n", "%0A")


def _vso_property(text: str) -> str:
    return _vso_escaped(text).replace(";", "%3B").replace("]", "%5D")
