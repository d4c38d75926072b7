"""Every AKS_WASM_* variable, read only here; the README's table is made from this file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


def _variable(name: str, meaning: str) -> dict[str, str]:
    return {"variable": name, "meaning": meaning}


@dataclass(frozen=True)
class Settings:
    """What the environment says. Flags win over it, it wins over the file's defaults."""

    home: Path = field(
        metadata=_variable("AKS_WASM_HOME", "cache, emulator state, own kubeconfigs; default `~/.aks-wasm`")
    )
    config: str | None = field(
        default=None,
        metadata=_variable("AKS_WASM_CONFIG", "the spec file; default `aks-wasm.yaml` in the current folder"),
    )
    target: str | None = field(default=None, metadata=_variable("AKS_WASM_TARGET", "azure, local or emulator"))
    output: str | None = field(default=None, metadata=_variable("AKS_WASM_OUTPUT", "json, yaml, table or name"))
    progress: str | None = field(
        default=None, metadata=_variable("AKS_WASM_PROGRESS", "auto, live, plain, jsonl or none")
    )
    timeout: str | None = field(
        default=None, metadata=_variable("AKS_WASM_TIMEOUT", "how long to wait, for example `45m`")
    )
    arm_endpoint: str | None = field(
        default=None,
        metadata=_variable("AKS_WASM_ARM_ENDPOINT", "another Resource Manager than the cloud's own"),
    )
    arm_audience: str | None = field(
        default=None,
        metadata=_variable("AKS_WASM_ARM_AUDIENCE", "the audience of tokens for that Resource Manager"),
    )
    registry: str | None = field(
        default=None,
        metadata=_variable(
            "AKS_WASM_REGISTRY", "where packaged modules are pushed; default `registry.login` of the file"
        ),
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read the variables; an empty one counts as not set."""
        source = os.environ if environment is None else environment
        values = {
            name: source.get(spec.metadata["variable"]) or None
            for name, spec in cls.__dataclass_fields__.items()
            if name != "home"
        }
        home = source.get("AKS_WASM_HOME")
        return cls(home=Path(home) if home else Path.home() / ".aks-wasm", **values)
