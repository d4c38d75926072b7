from __future__ import annotations

from pathlib import Path

import pytest

from aks_wasm.providers.kind.engine import Engine
from aks_wasm.providers.kind.folder import ClusterFolder
from aks_wasm.providers.kind.teardown import remove_cluster
from tests.contract.targets import patience
from tests.unit.providers.kind.standins import program

VOLUMES = {
    "podman": (
        "one map[hello-control-plane:true]",
        "two map[a:b hello-worker2:true]",
        "three map[othello-worker:true]",
        "four map[x-hello-worker:true]",
        "five map[hello-worker-x:true]",
        "six map[]",
    ),
    "docker": ("one hello-control-plane=true", "two a=b,hello-worker2=true", "three hello-worker=trueish", "four "),
}


@pytest.mark.parametrize("name", VOLUMES)
def test_volumes_that_kind_made_for_the_nodes_go_with_them(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those of a creation that was cut short between the volume and its container."""
    removed, listed = tmp_path / "removed", "\n".join(VOLUMES[name])
    answers = f"'volume ls') cat <<'EOF'\n{listed}\nEOF\n;; 'volume rm') echo \"$*\" >{removed};;"
    program(tmp_path / "bin", name, f'case "$1 $2" in {answers} esac')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    engine = Engine(name, "", "amd64", 2, rootless=False, storage=None)
    remove_cluster(engine, ClusterFolder.of(tmp_path, "hello"), "hello", patience())
    assert removed.read_text() == "volume rm --force one two\n"
