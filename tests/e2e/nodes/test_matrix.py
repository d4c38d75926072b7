"""Every containerd with every kind of configuration: installed, run through, upgraded, removed, all else unchanged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from e2e.places import SOURCES as BENCH
from tests.e2e.machine import Machine
from tests.e2e.nodes.node import PROBE, RELEASES, SOURCES, WEB, Node, node_of

KIND = (BENCH / "node/kind.toml").read_text().replace("adj = false", "adj = true")
AKS_2404 = (BENCH / "node/aks2404.toml").read_text().replace("adj = false", "adj = true")
AKS_2204 = (SOURCES / "aks2204.toml").read_text()
IMPORTS = 'imports = ["/etc/containerd/conf.d/*.toml"]\n'
OF_1 = "io.containerd.grpc.v1.cri"
OF_2 = "io.containerd.cri.v1.runtime"
DROP_IN = (SOURCES / "gpu-drop-in.toml").read_text()
V1, V2 = "aks-wasm-test-v1", "aks-wasm-test-v2"


@dataclass(frozen=True)
class Case:
    """A configuration, and what the script does with it.

    Attributes:
        text: The root file; None where there is none.
        drop_ins: Files of conf.d; None where there is no such folder.
        changes: The file that gets our runtimes.
    """

    text: str | None
    drop_ins: Mapping[str, str] | None = None
    changes: str = "config.toml"


OWN = "conf.d/zz-aks-wasm.toml"
ALWAYS = {
    "kind": Case(KIND),
    "aks2204": Case(AKS_2204),
    "aks2204-no-last-newline": Case(AKS_2204.rstrip("\n")),
    "no-imports-but-a-folder": Case(AKS_2204, {}),
    "gpu": Case((SOURCES / "gpu.toml").read_text()),
}
OF_CONTAINERD_1 = {
    # From the last file that has a section containerd 1 takes all of it, so ours must not be another one.
    "imports": Case(IMPORTS + AKS_2204, {}),
    "imports-and-a-foreign-drop-in": Case(
        IMPORTS + AKS_2204, {"99-nvidia.toml": (SOURCES / "gpu-drop-in-1.toml").read_text()}, "conf.d/99-nvidia.toml"
    ),
    "ids-of-2-that-it-ignores": Case(
        AKS_2404 + f'[plugins."{OF_1}"]\n  restrict_oom_score_adj = true\n  sandbox_image = "@PAUSE@"\n'
    ),
}
OF_CONTAINERD_2 = {
    "aks2404": Case(AKS_2404),
    "imports": Case(IMPORTS + AKS_2404, {}, OWN),
    "imports-of-ids-of-1": Case(IMPORTS + AKS_2204, {}, OWN),
    "imports-and-a-foreign-drop-in": Case(
        IMPORTS + AKS_2404, {"99-nvidia.toml": DROP_IN.replace("@PLUGIN@", OF_2)}, OWN
    ),
    "version-3": Case(AKS_2404.replace("version = 2", "version = 3"), None),
    "version-3-and-imports": Case(IMPORTS + AKS_2404.replace("version = 2", "version = 3"), {}, OWN),
}
COMBINATIONS = [
    (release, name)
    for release in RELEASES
    for name in [*ALWAYS, *(OF_CONTAINERD_1 if release.startswith("1.") else OF_CONTAINERD_2)]
]


@pytest.fixture(scope="module", params=RELEASES)
def node(machine: Machine, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with node_of(machine, request.param, tmp_path_factory.mktemp("node")) as started:
        yield started


@pytest.fixture
def case(node: Node, request: pytest.FixtureRequest) -> Case:
    found = {**ALWAYS, **OF_CONTAINERD_1, **OF_CONTAINERD_2}
    release, name = request.param
    known = ALWAYS | (OF_CONTAINERD_1 if release.startswith("1.") else OF_CONTAINERD_2)
    assert name in found
    return known[name]


@pytest.mark.parametrize(
    ("node", "case"),
    [(release, (release, name)) for release, name in COMBINATIONS],
    ids=[f"{release}-{name}" for release, name in COMBINATIONS],
    indirect=True,
)
def test_install_verify_upgrade_remove(node: Node, case: Case) -> None:
    text = case.text.replace("@PAUSE@", node.pause) if case.text else None
    drop_ins = (
        {name: one.replace("@PAUSE@", node.pause) for name, one in case.drop_ins.items()}
        if case.drop_ins is not None
        else None
    )
    node.configure(text, drop_ins)
    files, dump, handlers = node.files(), node.dump(), node.handlers()
    alive = node.cri("start", "alive", "-", WEB)
    assert alive.code == 0, alive
    try:
        installed(node, case)
        upgraded(node)
        removed = node.script("remove")
        assert removed.code == 0, removed.err
        assert node.files() == files
        assert node.dump() == dump
        assert node.handlers() == handlers
        assert node.state("alive") == alive.out.strip()
    finally:
        node.cri("end", "alive")


def installed(node: Node, case: Case) -> None:
    handlers = node.handlers()
    before = node.containerd()
    done = node.script("install", node.line())
    assert done.code == 0, done.err
    report = node.report()
    assert report["healthy"] is True, report
    assert set(report["handlers"]) == handlers | {V1}
    assert report["imports"] is ((case.text or "").startswith("imports") and case.drop_ins is not None)
    assert V1 in node.sh(f"cat /etc/containerd/{case.changes}")
    assert node.containerd() != before
    assert node.wasm(V1) == "ok"
    before = node.containerd()
    assert node.script("install", node.line()).code == 0
    assert node.containerd() == before


def upgraded(node: Node) -> None:
    both = (node.line(), node.line(V2, "v2"))
    stays = node.cri("start", "stays", V1, PROBE, "stay")
    assert stays.code == 0, stays
    assert node.script("install", *both).code == 0
    # containerd 1.7 gives up shims that list no processes; before it none is asked, from 2.2 on it is prevented.
    if node.report()["containerd"].startswith("1.7."):
        assert node.run_by("/opt/aks-wasm/") == ""
    else:
        assert node.state("stays") == stays.out.strip()
        assert node.run_by("/opt/aks-wasm/test/v1/") != ""
    assert node.cri("end", "stays").code == 0
    assert node.wasm(V2) == "ok"
    assert node.script("install", both[1]).code == 0
    assert node.report()["healthy"] is True
    assert node.wasm(V2) == "ok"
    assert node.sh("ls /opt/aks-wasm/test").split() == ["v2"]
    assert V1 not in node.handlers()
