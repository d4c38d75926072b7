"""What the README's tables say is what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from aks_wasm import errors
from aks_wasm.cli.main import COMMANDS
from aks_wasm.settings import Settings

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_every_command_is_in_the_table() -> None:
    assert [name for name in COMMANDS if f"| `{name}` |" not in README] == []


def test_every_variable_is_in_the_table_with_its_meaning() -> None:
    for spec in Settings.__dataclass_fields__.values():
        assert f"| `{spec.metadata['variable']}` | {spec.metadata['meaning']} |" in README


@pytest.mark.parametrize(
    "code",
    sorted({getattr(errors, name).exit_code for name in dir(errors) if hasattr(getattr(errors, name), "exit_code")}),
)
def test_every_exit_code_is_in_the_table(code: int) -> None:
    assert f"\n| {code} | " in README
