"""scripts/install-az, as far as it goes without a network."""

from __future__ import annotations

import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "install-az"


def test_an_az_that_is_there_is_only_named(tmp_path: Path) -> None:
    venv = tmp_path / "az"
    venv.mkdir()
    pinned = next(line for line in SCRIPT.read_text().splitlines() if line.startswith("version="))
    (venv / "installed").write_text(pinned.removeprefix("version="))
    environment = {"PATH": "/usr/bin:/bin", "AKS_WASM_TOOLS": str(tmp_path), "PYTHON": "/nonexistent"}
    done = subprocess.run([str(SCRIPT)], env=environment, capture_output=True, text=True, check=True, timeout=10)
    assert (done.stdout, done.stderr) == (f"{venv}/bin/az\n", "")
    assert [one.name for one in venv.iterdir()] == ["installed"]
