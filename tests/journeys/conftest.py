"""The whole tool, command line to running Wasm, against a real emulator on sockets."""

from __future__ import annotations

import itertools
import json
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from aks_wasm.cli.context import AppContext
from aks_wasm.cli.main import app
from aks_wasm.providers.azure.clients import Clients
from aks_wasm.providers.azure.connection import connection_from
from aks_wasm.settings import Settings
from aks_wasm.spec.models import AzureSpec
from tests.running_emulator import RunningEmulator, running_emulator

READS = ("GET", "HEAD")
READING_POSTS = ("listclusterusercredential", "listclusteradmincredential")
_numbers = itertools.count()


@dataclass
class Tool:
    """Calls the command line as a new process would be, but for the start-up; one cluster name a test."""

    emulator: RunningEmulator
    folder: Path
    name: str
    target: str = "emulator"
    environment: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str, name: bool = True) -> Result:
        given = list(arguments)
        if name:
            given += ["--target", self.target, "--set", f"metadata.name={self.name}"]
            # What answers on the machine that runs the tests must not choose what is tested.
            given += ["--set", "local.engine=embedded"]
        settings = Settings.from_environment({"AKS_WASM_HOME": str(self.emulator.home), **self.environment})
        context = AppContext(settings, environment=self.environment)
        return CliRunner().invoke(app, given, obj=context)

    def document(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """Run with -o json; stdout must be one document."""
        result = self(*arguments, "-o", "json")
        assert result.exit_code == code, result.output
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    def up(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """Run `up`."""
        return self.document("up", "--yes", *arguments, code=code)

    def fault(self, name: str, method: str = "PUT", path: str = "", **more: Any) -> None:
        """Script a fault; by default it befalls the PUT of this test's cluster. A path is taken within the cluster."""
        where = f"managedClusters/{self.name}{path}$"
        self.emulator.control("POST", "faults", {"fault": name, "match": {"method": method, "path": where}, **more})

    def write(self, name: str, text: str) -> str:
        """Write a file into the test's folder; return its path."""
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def mark(self) -> int:
        """Return where the journal of requests is now."""
        entries = self.emulator.control("GET", "requests?since=0")["requests"]
        return entries[-1]["number"] if entries else 0

    def asked(self, since: int) -> list[dict[str, Any]]:
        """Return the requests to Resource Manager and Kubernetes about this test's cluster or its subscription."""
        entries = self.emulator.control("GET", f"requests?since={since}")["requests"]
        return [e for e in entries if e["api"] in ("arm", "kubernetes") and self._is_ours(e)]

    def writes(self, since: int) -> list[dict[str, Any]]:
        """Return the requests that change something."""
        return [e for e in self.asked(since) if e["method"] not in READS and not self._reads(e)]

    def every_write(self, since: int) -> list[str]:
        """Return what was asked of the whole emulator that changes something, whoever asked."""
        entries = self.emulator.control("GET", f"requests?since={since}")["requests"]
        changing = [e for e in entries if e["api"] != "identity" and e["method"] not in READS and not self._reads(e)]
        return [f"{entry['method']} {entry['path']}" for entry in changing]

    def sign_in(self, environment: pytest.MonkeyPatch, **changes: str) -> None:
        """Take target azure, with the emulator standing in for Resource Manager as `emulator env` says."""
        self.target = "azure"
        variables = {**self.emulator.environment, **changes}
        for name, value in variables.items():
            environment.setenv(name, value)
        self.environment.update({n: v for n, v in variables.items() if n.startswith("AKS_WASM_")})

    def somebody_else(self, method: str, path: str, body: object = None) -> int:
        """Do to the subscription what other people do, by other tools; return the HTTP status."""
        from azure.core.rest import HttpRequest

        connection = connection_from(AzureSpec(), Settings(home=self.folder), self.emulator.environment)
        with closing(Clients(connection)) as clients:
            url = f"{connection.endpoint}/subscriptions/{connection.subscription}{path}"
            return int(clients.arm.send_request(HttpRequest(method, url, json=body)).status_code)

    def group(self, method: str = "GET", name: str | None = None, **body: Any) -> int:
        """Ask for a resource group as somebody else would; default is the one named as the cluster."""
        return self.somebody_else(method, f"/resourcegroups/{name or self.name}?api-version=2025-04-01", body or None)

    def _is_ours(self, entry: dict[str, Any]) -> bool:
        return self.name in entry["cluster"] if entry["api"] == "kubernetes" else self.name in entry["path"]

    def _reads(self, entry: dict[str, Any]) -> bool:
        return entry["path"].lower().rpartition("/")[2] in READING_POSTS


def fetch(url: str) -> str:
    """GET a URL of a workload."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


def states(document: dict[str, Any]) -> dict[str, str]:
    """Return how each step of a result went."""
    return {step["name"]: step["state"] for step in document["steps"]}


def fields_of(*overrides: str) -> list[str]:
    """Return the arguments that set fields: `fields_of("nodePools.0.count=3")`."""
    return [word for override in overrides for word in ("--set", override)]


@pytest.fixture(scope="module")
def own_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    """An emulator for the tests of one file, which script faults."""
    with running_emulator(tmp_path_factory.mktemp("emulator-own")) as running:
        yield running


@pytest.fixture
def own_tool(own_emulator: RunningEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tool]:
    """The tool where faults may be scripted; they and the cluster are gone afterwards."""
    monkeypatch.chdir(tmp_path)
    tool = Tool(own_emulator, tmp_path, f"j{next(_numbers)}")
    yield tool
    own_emulator.control("DELETE", "faults")
    tool("down", "--yes")


@pytest.fixture
def tool(emulator: RunningEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tool]:
    """The tool against the emulator of today; the cluster is deleted afterwards."""
    yield from _tool(emulator, tmp_path, monkeypatch)


@pytest.fixture
def tool_2022(emulator_2022: RunningEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tool]:
    """The same when WASI node pools were granted."""
    yield from _tool(emulator_2022, tmp_path, monkeypatch)


def _tool(emulator: RunningEmulator, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tool]:
    monkeypatch.chdir(folder)
    tool = Tool(emulator, folder, f"j{next(_numbers)}")
    yield tool
    for target in ("emulator", "local"):
        tool.target = target
        tool("down", "--yes")
