from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from aks_wasm.errors import Refused
from aks_wasm.providers.base import Observed, ObservedCluster, Provider
from aks_wasm.providers.embedded.provider import EmbeddedProvider
from aks_wasm.settings import Settings
from aks_wasm.spec.models import ClusterSpec
from aks_wasm.workflows.context import Run
from aks_wasm.workflows.prepare import prepare
from tests.unit.clocks import FakeClock


class SomebodyElses:
    """A provider that has a cluster of that name without our mark."""

    info = replace(EmbeddedProvider.info, name="somebody else's")

    def observe(self, spec: ClusterSpec) -> Observed:
        return Observed(ObservedCluster(spec.name, "Succeeded", "", "1.35", {}, api_server="https://api"))


def test_nobody_looks_into_a_cluster_that_is_not_ours(tmp_path: Path) -> None:
    def connect() -> Any:
        raise AssertionError("credentials of a foreign cluster were fetched")

    spec = ClusterSpec.model_validate({"metadata": {"name": "demo"}, "shims": []})
    provider = cast("Provider", SomebodyElses())
    run = Run(Settings(tmp_path), spec, provider, lambda _event: None, FakeClock(), 1.0, connect=connect)
    with pytest.raises(Refused, match="was not made by aks-wasm"):
        prepare(run)
