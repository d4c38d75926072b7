"""imagePullSecrets: the credentials a pod has for registries."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from aks_wasm.emulator.cluster.store import Store


def pull_credentials(store: Store, pod: Mapping[str, Any]) -> dict[str, str]:
    """Return base64 of `user:password` by registry host, from the pod's and its service account's secrets.

    Missing and unreadable secrets are skipped, as the kubelet does.
    """
    namespace = pod["metadata"]["namespace"]
    account = store.peek("serviceaccounts", pod["spec"].get("serviceAccountName", "default"), namespace) or {}
    references = [*(pod["spec"].get("imagePullSecrets") or ()), *(account.get("imagePullSecrets") or ())]
    found: dict[str, str] = {}
    for reference in references:
        secret = store.peek("secrets", reference.get("name", ""), namespace) or {}
        found = _entries((secret.get("data") or {}).get(".dockerconfigjson", "")) | found
    return found


def _entries(encoded: str) -> dict[str, str]:
    try:
        entries = json.loads(base64.b64decode(encoded) or b"{}").get("auths", {})
        return {_host(registry): _login(entry) for registry, entry in entries.items()}
    except (ValueError, binascii.Error, AttributeError, TypeError):
        return {}


def _host(registry: str) -> str:
    host = registry.removeprefix("https://").removeprefix("http://").partition("/")[0]
    return "docker.io" if host == "index.docker.io" else host


def _login(entry: Mapping[str, str]) -> str:
    if entry.get("auth"):
        return entry["auth"]
    return base64.b64encode(f"{entry.get('username', '')}:{entry.get('password', '')}".encode()).decode()
