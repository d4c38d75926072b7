"""The kubeconfig of an Entra cluster asks us for its tokens, so that kubelogin is not needed; pure but for the path."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml


def without_kubelogin(text: str, environment: Mapping[str, str]) -> str:
    """Return the kubeconfig with `aks-wasm kube-token` in place of kubelogin; one with certificates stays as it is.

    Args:
        text: As AKS gives it.
        environment: What the command needs to find the same account again; never a secret.
    """
    document = yaml.safe_load(text)
    plugins: list[dict[str, Any]] = [
        user["user"]["exec"] for user in document.get("users") or () if "exec" in (user.get("user") or {})
    ]
    if not plugins:
        return text
    for plugin in plugins:
        plugin.clear()
        plugin |= {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": _command(),
            "args": ["kube-token"],
            "env": [{"name": name, "value": value} for name, value in sorted(environment.items())],
            "interactiveMode": "Never",
            "provideClusterInfo": False,
        }
    return str(yaml.safe_dump(document, sort_keys=False))


def _command() -> str:
    """Return the program beside the running interpreter, which need not be on the PATH of whoever runs kubectl."""
    beside = Path(sys.executable).with_name("aks-wasm")
    return str(beside) if beside.exists() else "aks-wasm"
