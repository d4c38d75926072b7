"""Go and cargo, which Debian 12 has only too old."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ASKED = {"go": "version", "cargo": "--version"}


def rustup_home() -> dict[str, str]:
    """Where rustup's toolchains are when cargo is rustup's and HOME is another folder than it was installed into."""
    cargo = shutil.which("cargo")
    if cargo is None or "RUSTUP_HOME" in os.environ:
        return {}
    beside = Path(cargo).parent.parent.with_name(".rustup")  # of HOME/.cargo/bin/cargo
    return {"RUSTUP_HOME": str(beside)} if beside.is_dir() else {}


def why_unfit() -> str | None:
    """Return in one sentence which compiler is missing or does not work; None when all do."""
    for program, argument in ASKED.items():
        if shutil.which(program) is None:
            return f"`{program}` is missing, and Debian's is too old to build Kubernetes and the shim"
        env = {**os.environ, **rustup_home()}
        told = subprocess.run([program, argument], capture_output=True, text=True, env=env, check=False)
        if told.returncode:
            why = (told.stderr.strip() or "it says nothing").splitlines()[0]
            return f"`{program} {argument}` does not work: {why}"
    return None
