from __future__ import annotations

from pathlib import Path

import pytest

from aks_wasm.errors import SpecInvalid, UsageError
from aks_wasm.settings import Settings
from aks_wasm.spec.load import load_spec
from aks_wasm.spec.models import ClusterSpec

SPEC = """
apiVersion: aks-wasm/v1
kind: Cluster
metadata: {name: demo}
nodePools: [{name: wasm, arch: arm64, count: 2}]
shims: [spin]
workloads:
  - {name: web, source: ./spin.toml}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def load(tmp_path: Path, settings: Settings, text: str = SPEC, *sets: str, target: str | None = None) -> ClusterSpec:
    path = tmp_path / "aks-wasm.yaml"
    path.write_text(text)
    return load_spec(path, sets=sets, target=target, settings=settings)


def problems(tmp_path: Path, settings: Settings, text: str, *sets: str) -> list[str]:
    with pytest.raises(SpecInvalid) as caught:
        load(tmp_path, settings, text, *sets)
    assert caught.value.exit_code == 2
    return [str(problem) for problem in caught.value.problems]


def test_a_file_is_read_with_its_defaults(tmp_path: Path, settings: Settings) -> None:
    spec = load(tmp_path, settings)
    assert spec.name == spec.resource_group == "demo"
    assert spec.node_pools[0].count == 2
    assert spec.workloads[0].port == 80


def test_paths_in_the_file_start_at_the_file(tmp_path: Path, settings: Settings) -> None:
    assert load(tmp_path, settings).workloads[0].source == str(tmp_path / "spin.toml")


def test_without_a_file_the_built_in_hello_is_taken(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spec = load_spec(None, settings=settings)
    assert [workload.name for workload in spec.workloads] == ["hello", "task"]
    assert all(Path(workload.source or "").is_file() for workload in spec.workloads)
    assert spec.node_pools[0].arch == "arm64"
    local = load_spec(None, target="local", settings=settings)
    assert local.node_pools[0].arch is None, "containers have this machine's own architecture"


def test_the_flag_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, target="local")
    assert load(tmp_path, settings).target == "local"
    assert load(tmp_path, settings, target="emulator").target == "emulator"


@pytest.mark.parametrize(
    ("override", "look"),
    [
        ("nodePools.0.count=3", lambda spec: spec.node_pools[0].count == 3),
        ("azure.location=westus2", lambda spec: spec.azure.location == "westus2"),
        ("workloads.0.env.A=b", lambda spec: spec.workloads[0].env == {"A": "b"}),
        ("shims.1=slight", lambda spec: spec.shims == ("spin", "slight")),
        ("nodePools.0.spot=true", lambda spec: spec.node_pools[0].spot is True),
    ],
)
def test_set_overrides_a_field(tmp_path: Path, settings: Settings, override: str, look: object) -> None:
    assert look(load(tmp_path, settings, SPEC, override))  # type: ignore[operator]


@pytest.mark.parametrize("override", ["nodePools.5.count=3", "nodePools.0.count", "metadata.name.x=1", "=3"])
def test_a_set_that_fits_nowhere_is_refused(tmp_path: Path, settings: Settings, override: str) -> None:
    with pytest.raises(UsageError, match="--set"):
        load(tmp_path, settings, SPEC, override)


def test_a_misspelt_field_is_named_with_its_neighbour(tmp_path: Path, settings: Settings) -> None:
    found = problems(tmp_path, settings, SPEC.replace("count: 2", "cuont: 2"))
    assert found == ["nodePools.0.cuont: there is no such field (did you mean `count`?)"]


def test_every_problem_is_told_at_once(tmp_path: Path, settings: Settings) -> None:
    text = SPEC.replace("arch: arm64", "arch: mips").replace("name: web", "name: Web").replace("count: 2", "count: two")
    fields = [problem.split(":")[0] for problem in problems(tmp_path, settings, text)]
    assert fields == ["nodePools.0.arch", "nodePools.0.count", "workloads.0.name"]


@pytest.mark.parametrize(
    ("pools", "field", "words"),
    [
        ("[{name: wasm}, {name: wasm}]", "nodePools", "2 times"),
        ("[{name: waytoolongname}]", "nodePools.0.name", "at most 12"),
        ("[{name: Wasm}]", "nodePools.0.name", "`Wasm`"),
        ("[{name: w, osType: Windows}]", "nodePools.0.osType", "`Windows`"),
        ("[{name: w, mode: System}]", "nodePools.0.mode", "`System`"),
        ("[{name: w, count: 0}]", "nodePools.0.count", "no autoscaler"),
        ("[{name: w, min: 1}]", "nodePools.0.max", "needs both"),
        ("[{name: w, min: 3, max: 2}]", "nodePools.0.min", "above max"),
        ("[{name: w, min: 1, max: 2, count: 5}]", "nodePools.0.count", "not between"),
        ("[]", "nodePools", "at least one"),
    ],
)
def test_a_pool_that_can_not_be_is_refused(
    tmp_path: Path, settings: Settings, pools: str, field: str, words: str
) -> None:
    text = SPEC.replace("[{name: wasm, arch: arm64, count: 2}]", pools)
    found = problems(tmp_path, settings, text)
    assert any(problem.startswith(f"{field}:") and words in problem for problem in found), found


@pytest.mark.parametrize(
    ("workload", "words"),
    [
        ("{name: a, shim: lunatic, module: a.wasm}", "not among the cluster's shims"),
        ("{name: a}", "exactly one of source, module and image"),
        ("{name: a, module: a.wasm, image: b}", "exactly one of source, module and image"),
        ("{name: a, shim: none, module: a.wasm}", "ordinary container"),
        ("{name: 1st, module: a.wasm}", "a letter first"),  # Kubernetes: a Service's name is a DNS-1035 label
        (f"{{name: {'a' * 53}, module: a.wasm}}", "at most 52"),  # with its hash the Job's name would be 64 long
    ],
)
def test_a_workload_that_can_not_run_is_refused(tmp_path: Path, settings: Settings, workload: str, words: str) -> None:
    found = problems(tmp_path, settings, SPEC.replace("{name: web, source: ./spin.toml}", workload))
    assert any(words in problem for problem in found), found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "found nothing"),
        ("- a", "found a list"),
        ("a: [", "not YAML"),
        ("? [a]\n: b", "not YAML"),
        ("metadata: {name: a}\nmetadata: {name: b}", "`metadata` is there twice"),
        ("kind: Cluster", "metadata: is required"),
    ],
)
def test_what_is_no_spec_is_refused(tmp_path: Path, settings: Settings, text: str, words: str) -> None:
    assert any(words in problem for problem in problems(tmp_path, settings, text))


def test_a_missing_file_is_named_with_a_way_out(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(UsageError, match=r"there is no file `.*nowhere.yaml`") as caught:
        load_spec(tmp_path / "nowhere.yaml", settings=settings)
    assert "-f FILE" in (caught.value.hint or "")


def test_the_installer_is_ours_one_node_at_a_time_unless_the_file_says_otherwise(
    tmp_path: Path, settings: Settings
) -> None:
    assert load(tmp_path, settings).installer.kind == "daemonset"
    assert load(tmp_path, settings).installer.max_unavailable == 1
    mirrored = load(
        tmp_path, settings, SPEC + "installer: {image: 'mirror.local:5000/busybox:1.36', maxUnavailable: 3}"
    )
    assert (mirrored.installer.image, mirrored.installer.max_unavailable) == ("mirror.local:5000/busybox:1.36", 3)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("installer: {kind: kwasm}", "installer.kind"),
        ("installer: {maxUnavailable: 0}", "installer.maxUnavailable"),
        ("installer: {image: 'not an image'}", "installer.image"),
        ("installer: {kind: runtime-class-manager, maxUnavailable: 2}", "installer.maxUnavailable"),
    ],
)
def test_an_installer_that_is_off_is_named(tmp_path: Path, settings: Settings, text: str, field: str) -> None:
    (problem,) = problems(tmp_path, settings, f"{SPEC}{text}")
    assert problem.startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("nodePool.0.count=2", "nodePool: there is no such field (did you mean `nodePools`?)"),
        ("azure.locatio=x", "azure.locatio: there is no such field (did you mean `location`?)"),
    ],
)
def test_a_field_that_is_misspelt_in_an_override_is_named(settings: Settings, override: str, words: str) -> None:
    with pytest.raises(SpecInvalid) as caught:
        load_spec(None, sets=[override], settings=settings)
    assert words in caught.value.message
