"""`kubeconfig` and `kube-token`: the way into the cluster for kubectl and others."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Any

from aks_wasm.errors import UsageError
from aks_wasm.kube import kubeconfig
from aks_wasm.kube.exec_credential import asked_version, exec_credential
from aks_wasm.providers.abilities import GivesTokens
from aks_wasm.settings import Settings
from aks_wasm.spec.models import ClusterSpec, Metadata
from aks_wasm.workflows.context import Run
from aks_wasm.workflows.results import ActionResult


def kubeconfig_text(run: Run) -> str:
    """Return a kubeconfig (YAML) with the one context `aks-wasm-NAME`."""
    return kubeconfig.renamed(run.provider.kubeconfig(run.spec), run.spec.name)


def write_kubeconfig(run: Run, path: Path) -> ActionResult:
    """Write the kubeconfig to a file of its own, readable by its owner only."""
    kubeconfig.write(path, kubeconfig_text(run))
    return _written(run, path)


def merge_kubeconfig(run: Run) -> ActionResult:
    """Put the cluster's context into the kubeconfig that kubectl uses, and switch to it."""
    path = kubeconfig.default_file(os.environ)
    kubeconfig.merge(path, run.provider.kubeconfig(run.spec), run.spec.name, clock=run.clock)
    return _written(run, path)


def kube_token(settings: Settings) -> str:
    """Return an ExecCredential for an Entra cluster, as kubelogin would.

    Raises:
        UsageError: The target has no Entra tokens.
        NotSignedIn: Nobody is signed in.
    """
    from aks_wasm.providers.registry import open_provider

    target: Any = settings.target or "azure"
    provider = open_provider(ClusterSpec(metadata=Metadata(name="kube-token"), target=target), settings)
    if not isinstance(provider, GivesTokens):
        raise UsageError(f"{provider.info.name} clusters need no token", code="NoToken")
    with closing(provider):
        value, expires = provider.token()
    return exec_credential(value, expires, api_version=asked_version(os.environ))


def _written(run: Run, path: Path) -> ActionResult:
    context = kubeconfig.context_name(run.spec.name)
    return ActionResult("KubeconfigResult", f"context/{context}", {"context": context, "file": str(path)})
