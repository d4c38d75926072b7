"""Runs command lines against a world in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from aks_wasm.cli.context import AppContext
from aks_wasm.cli.main import app
from aks_wasm.display.terminal import Terminal
from aks_wasm.settings import Settings
from aks_wasm.waits import SystemClock
from tests.cli.fakes import World, WorldUseCases


@dataclass
class CommandLine:
    """Each call is a new process as far as the program can tell; the world stays."""

    home: Path
    world: World = field(default_factory=World)
    environment: dict[str, str] = field(default_factory=dict)
    terminal: Terminal = field(default_factory=Terminal)
    clock: Any = None

    def __call__(self, *arguments: str, answer: str | None = None) -> Result:
        use_cases = WorldUseCases(self.world)
        context = AppContext(
            Settings.from_environment({"AKS_WASM_HOME": str(self.home), **self.environment}),
            environment=self.environment,
            terminal=self.terminal,
            new_clock=lambda: self.clock or SystemClock(),
            use_cases=use_cases,
            open_run=use_cases.open_run,
        )
        return CliRunner().invoke(app, list(arguments), obj=context, input=answer)

    def document(self, *arguments: str, code: int = 0) -> Mapping[str, Any]:
        """Run with -o json; stdout must be one document."""
        result = self(*arguments, "-o", "json")
        assert result.exit_code == code, result.output
        document: Mapping[str, Any] = json.loads(result.stdout)
        return document


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """A command line in an empty folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return CommandLine(tmp_path / "home")
