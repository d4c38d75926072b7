"""Packages the spec's workloads, and the probes, into image archives; their names carry the hash of their content."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from aks_wasm.providers.base import ProviderInfo
from aks_wasm.settings import Settings
from aks_wasm.spec.builtin import HELLO
from aks_wasm.spec.models import ClusterSpec, Workload

if TYPE_CHECKING:
    from aks_wasm.wasm.archive import ImageArchive

PROBE = "aks-wasm-probe"
