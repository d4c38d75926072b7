from __future__ import annotations

import os
from pathlib import Path

import pytest

from aks_wasm.errors import ServiceError
from aks_wasm.providers.kind.creation import Prepared, Workshop, create
from aks_wasm.providers.kind.engine import Engine
from aks_wasm.providers.kind.folder import ClusterFolder
from aks_wasm.providers.kind.image import NodeImage
from tests.contract.targets import patience
from tests.unit.providers.kind.standins import program

JOINS_ONCE_SETTLED = """
cat >{0}/configuration
printf ' • Starting control-plane 🕹️  ...\\n ✓ Starting control-plane 🕹️\\n'; sleep 0.3; test ! -e {0}/settled || exit 3
printf ' • Joining worker nodes 🚜  ...\\n'
for _ in $(seq 200); do if test -e {0}/settled; then exit 0; fi; sleep 0.05; done
exit 4
"""


def made(folder: Path, script: str) -> tuple[Workshop, Prepared]:
    engine = Engine("docker", "", "amd64", 2, rootless=False, storage=None)
    shop = Workshop(engine, folder, ClusterFolder.of(folder, "hello"), lock=os.open(folder, os.O_RDONLY))
    node = NodeImage("node:1", "v1.34.4", "", {}, "", brings_network=True)
    return shop, Prepared(str(program(folder / "bin", "kind", script)), node, "kind: Cluster\n")


def test_what_the_api_server_is_needed_for_is_done_while_workers_join(tmp_path: Path) -> None:
    shop, prepared = made(tmp_path, JOINS_ONCE_SETTLED.format(tmp_path))
    create(shop, "hello", prepared, patience(), (tmp_path / "settled").touch)
    os.close(shop.lock)
    assert (tmp_path / "configuration").read_text() == "kind: Cluster\n"


def test_a_creation_that_fails_before_calls_nothing(tmp_path: Path) -> None:
    shop, prepared = made(tmp_path, "echo 'ERROR: failed to create cluster: no space'; exit 1")
    called: list[None] = []
    with pytest.raises(ServiceError, match="cannot create the cluster `hello`: failed to create cluster: no space"):
        create(shop, "hello", prepared, patience(), lambda: called.append(None))
    os.close(shop.lock)
    assert called == []
