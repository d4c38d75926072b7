"""`aks-wasm doctor` on a real cluster: the causes that one can make real are made real, and named by what nodes say."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.archives import Image, write_archive
from tests.e2e.clusters import RUNTIME_TABLES, SHIM_IN_NODE, Cluster, cluster_of, eventually
from tests.e2e.machine import Machine
from tests.e2e.product import TOOL
from tests.e2e.registry import Registry, registry_of
from tests.emulator.node.oci_archives import ImageArchive

VARIANT = "aks2404"
AARCH64 = 183  # e_machine
SECONDS = 90

Pod = dict[str, Any]


@pytest.fixture(scope="module")
def cluster(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster where all that goes wrong goes wrong side by side, so that no case waits for another."""
    folder = tmp_path_factory.mktemp("doctor")
    with (
        registry_of(machine, folder / "registry") as registry,
        registry_of(machine, folder / "private", wants_login=True) as private,
        cluster_of(machine, VARIANT, folder) as made,
    ):
        handlers = ("wasmtime", "nohandler", "nobinary", "wrongarch")
        made.apply(*(runtime_class(handler) for handler in handlers))
        healthy = doctor(made)
        assert healthy.returncode == 0, healthy.stdout + healthy.stderr
        break_node(made)
        load_broken_images(made, folder)
        made.in_node(registry.trust() + private.trust())
        images = {**fill(registry, machine), "private": f"{private.host}/team/x:1"}
        pulled = {name: {"image": image, "pull": "Always"} for name, image in images.items()}
        failing = {**FAILING, **pulled}
        made.apply(*namespaces(), *(pod(name, **how) for name, how in failing.items()), *controllers())
        yield made


def fill(registry: Registry, machine: Machine) -> dict[str, str]:
    """Push what is to be pulled; return each pod's image, one of which nobody pushes."""
    task = machine.apps / "task.wasm"
    wasi, listed = registry.folder / "wasi.tar", registry.folder / "listed.tar"
    write_archive(wasi, [Image("wasi:1", {"app.wasm": task}, "/app.wasm", "wasi", "wasm")])
    registry.put(wasi)
    registry.put(ImageArchive().add("arm64:1", {"x": b"x"}, platforms=("linux/arm64",)).write(listed))
    host = registry.host
    absent = {"nowhere": f"{host}/nobody/made:this", "untagged": f"{host}/team/task:nobody-made-this"}
    return {
        "pulled": registry.push_module(task, "team/task"),
        "for-wasi": f"{host}/wasi:1",
        "listed": f"{host}/arm64:1",
        **absent,
    }


def runtime_class(handler: str) -> dict[str, Any]:
    return {
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": {"name": f"wasm-{handler}"},
        "handler": handler,
        "scheduling": {"nodeSelector": {"wasm": "yes"}},
    }


def break_node(made: Cluster) -> None:
    """Configure a runtime without a binary, and one whose binary is for another processor."""
    table = f'plugins."{RUNTIME_TABLES[VARIANT]}".containerd.runtimes'
    made.in_node(
        f"""
        head -c 65536 {SHIM_IN_NODE} >/opt/containerd-shim-wrongarch-v1
        printf '\\x{AARCH64:02x}' | dd of=/opt/containerd-shim-wrongarch-v1 bs=1 seek=18 conv=notrunc status=none
        chmod 755 /opt/containerd-shim-wrongarch-v1
        cat >>/etc/containerd/config.toml <<'END'
[{table}.nobinary]
  runtime_type = "io.containerd.nobinary.v1"
[{table}.wrongarch]
  runtime_type = "/opt/containerd-shim-wrongarch-v1"
END
        systemctl restart containerd
        """
    )


def load_broken_images(made: Cluster, folder: Path) -> None:
    """Load images for another processor, one whose layer is then taken away, one that lists another platform only.

    They are left packed, as images are that nobody has run yet.
    """
    program = folder / "program"
    program.write_bytes(elf(made.machine.shim.read_bytes()[:4096]))
    program.chmod(0o755)
    plain = folder / "plain"
    plain.write_bytes(program.read_bytes())  # and not executable
    content, archives = {"program": program}, folder / "broken"
    archives.mkdir()
    images = [
        Image("bench.local/foreign:1", content, "/program"),
        Image("bench.local/data:1", {"program": plain}, "/program"),
        Image("bench.local/partial:1", {"program": program, "again": program}, "/program"),
    ]
    write_archive(archives / "linux.tar", images)
    ImageArchive().add("bench.local/arm64:1", {"x": b"x"}, platforms=("linux/arm64",)).write(archives / "listed.tar")
    made.machine.docker("cp", str(archives), f"{made.worker}:/broken")
    made.in_node(
        """
        for archive in /broken/*.tar; do
            ctr --namespace k8s.io images import --all-platforms --no-unpack "$archive"
        done
        manifest=$(ctr --namespace k8s.io images list name==bench.local/partial:1 | awk 'NR == 2 {print $3}')
        layer=$(ctr --namespace k8s.io content get "$manifest" | grep -o '"layers".*' | grep -o 'sha256:[0-9a-f]*')
        ctr --namespace k8s.io content rm "$layer"
        """
    )


def elf(head: bytes) -> bytes:
    """Return the head of a program with another machine in it."""
    return head[:18] + AARCH64.to_bytes(2, "little") + head[20:]


def pod(name: str, image: str = "task", args: tuple[str, ...] = ("hello",), **more: Any) -> Pod:
    container: dict[str, Any] = {"name": "app", "image": image if "/" in image else f"bench.local/{image}:1"}
    container |= {"imagePullPolicy": more.pop("pull", "Never"), "args": list(args), **more.pop("container", {})}
    handler = more.pop("handler", "wasmtime")
    spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container], **more}
    if handler:
        spec["runtimeClassName"] = f"wasm-{handler}"
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


LIMITED = {"resources": {"limits": {"memory": "128Mi", "cpu": "500m"}}}
KILLED = {"livenessProbe": {"tcpSocket": {"port": 9}, "periodSeconds": 1, "failureThreshold": 1}}
COMMAND = {"livenessProbe": {"exec": {"command": ["true"]}, "periodSeconds": 1}}
FAILING: dict[str, dict[str, Any]] = {
    "no-handler": {"handler": "nohandler"},
    "no-binary": {"handler": "nobinary"},
    "wrong-shim": {"handler": "wrongarch"},
    "no-class": {"handler": None},
    "for-arm64": {"image": "arm64"},
    "foreign": {"image": "foreign", "handler": None},
    "no-module": {"image": "data"},
    "partial": {"image": "partial"},
    "elsewhere": {"image": "registry.invalid/x:1", "pull": "Always"},
    "memory": {"args": ("alloc", "300"), "container": LIMITED},
    "trap": {"args": ("trap",)},
    "seven": {"args": ("exit", "7")},
    "probed": {"args": ("loop",), "container": KILLED, "restartPolicy": "Always"},
    "commanded": {"args": ("loop",), "container": COMMAND},
    "slow": {"args": ("loop",), "container": {"resources": {"limits": {"cpu": "50m"}}}},
    "arm64-only": {"nodeSelector": {"kubernetes.io/arch": "arm64"}},
}


def namespaces() -> list[dict[str, Any]]:
    strict = {"pod-security.kubernetes.io/enforce": "baseline"}
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "strict", "labels": strict}}]


def controllers() -> list[dict[str, Any]]:
    """A privileged DaemonSet where that is forbidden, and a Deployment of a RuntimeClass that does not exist."""
    selector = {"app": "x"}
    container = {"name": "app", "image": "bench.local/web:1", "securityContext": {"privileged": True}}

    def of(kind: str, name: str, namespace: str, spec: dict[str, Any]) -> dict[str, Any]:
        template = {"metadata": {"labels": selector}, "spec": spec}
        return {
            "apiVersion": "apps/v1",
            "kind": kind,
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"selector": {"matchLabels": selector}, "template": template},
        }

    absent = {"runtimeClassName": "wasmtime-spin", "containers": [{"name": "app", "image": "bench.local/task:1"}]}
    return [
        of("DaemonSet", "privileged", "strict", {"containers": [container]}),
        of("Deployment", "absent", "default", absent),
    ]


def doctor(made: Cluster, *arguments: str) -> subprocess.CompletedProcess[str]:
    home = made.kubeconfig.parent / "home"
    command = [str(TOOL), "doctor", "--kubeconfig", str(made.kubeconfig), *arguments]
    environment = {**made.machine.environment, "HOME": str(home), "AKS_WASM_HOME": str(home)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def finding(made: Cluster, thing: str, code: str) -> dict[str, Any]:
    """Ask until the finding is there: nodes take a moment to fail."""
    told: list[dict[str, Any]] = []

    def ask() -> dict[str, Any] | None:
        ran = doctor(made, "-o", "json")
        assert ran.stdout, ran.stderr
        told[:] = json.loads(ran.stdout)["findings"]
        return next((one for one in told if one["object"] == thing and one["code"] == code), None)

    try:
        return eventually(ask, f"{code} of {thing}", SECONDS)
    except AssertionError:
        seen = [(one["code"], one["object"], one["evidence"]) for one in told if one["object"] == thing]
        raise AssertionError(f"no {code} of {thing} but {seen}") from None


@pytest.mark.parametrize(
    ("name", "code", "demand", "words"),
    [
        ("no-handler", "NoRuntime", 28, "no runtime for the handler `nohandler`"),
        ("no-binary", "NoShimBinary", 32, "`containerd-shim-nobinary-v1` is not on the node"),
        ("wrong-shim", "ShimWrongArchitecture", 34, "`containerd-shim-wrongarch-v1` is not for amd64"),
        ("no-class", "NoRuntimeClass", 28, "names no RuntimeClass"),
        ("for-arm64", "ImageUnknown", 39, "is not present"),
        ("no-module", "ImageNotForShim", 37, "finds nothing in `bench.local/data:1`"),
        ("foreign", "ImageWrongArchitecture", 34, "another architecture than amd64"),
        ("partial", "ContentMissing", 38, "one platform's layers"),
        ("listed", "NoMatchForPlatform", 37, "nothing for linux/amd64"),
        ("private", "RegistryDenied", 39, "wants a login"),
        ("nowhere", "ImageUnknown", 39, "not found"),
        ("untagged", "ImageUnknown", 39, "not found"),
        ("elsewhere", "RegistryUnreachable", 39, "cannot reach `registry.invalid`"),
        ("memory", "MemoryLimit", 41, "memory limit of 128Mi"),
        ("trap", "ContainerFailed", None, "exit code 2"),
        ("seven", "ContainerFailed", None, "exit code 7"),
        ("probed", "ProbeKills", 41, "liveness probe kills it"),
        ("commanded", "ExecUnsupported", 41, "`livenessProbe` of `app` runs a command"),
        ("slow", "LittleCpu", 41, "limited to 50m"),
        ("arm64-only", "NoNodeOfArchitecture", 34, "no node is arm64"),
    ],
)
def test_what_keeps_a_pod_from_running_is_named(
    cluster: Cluster, name: str, code: str, demand: int | None, words: str
) -> None:
    told = finding(cluster, f"Pod default/{name}", code)
    assert told.get("demand") == demand
    assert words in told["message"]
    assert told["evidence"]
    assert told["command"]


def test_a_module_that_was_pushed_is_pulled_and_runs(cluster: Cluster) -> None:
    assert cluster.ended("pulled") == (0, "Completed")
    assert cluster.kubectl("logs", "pulled").startswith("hello from")


@pytest.mark.parametrize(
    ("thing", "code", "demand"),
    [
        ("DaemonSet strict/privileged", "PodSecurityDenied", 36),
        ("ReplicaSet default/absent", "RuntimeClassMissing", 28),
    ],
)
def test_what_keeps_pods_from_being_made_is_named(cluster: Cluster, thing: str, code: str, demand: int) -> None:
    if "ReplicaSet" in thing:
        thing = f"ReplicaSet default/{replica_set(cluster)}"
    assert finding(cluster, thing, code)["demand"] == demand


def replica_set(cluster: Cluster) -> str:
    def look() -> str | None:
        return cluster.kubectl("get", "replicasets", "--output=jsonpath={.items[*].metadata.name}") or None

    return eventually(look, "the Deployment's ReplicaSet", 30)


def test_the_command_for_pod_security_mends_it(cluster: Cluster) -> None:
    told = finding(cluster, "DaemonSet strict/privileged", "PodSecurityDenied")
    cluster.machine.run("sh", "-c", told["command"])
    cluster.kubectl("--namespace=strict", "wait", "pod", "--selector=app=x", "--for=create", "--timeout=90s")


def test_the_command_for_a_missing_runtime_class_mends_it(cluster: Cluster) -> None:
    told = finding(cluster, "Pod default/no-class", "NoRuntimeClass")
    cluster.machine.run("sh", "-c", told["command"].replace("wasm-nobinary", "wasm-wasmtime"))
    assert cluster.ended("no-class") == (0, "Completed")


def test_a_containerd_that_does_not_start_is_named(cluster: Cluster) -> None:
    """Last: the drop-in of a foreign installer, of a version above the root file's, takes the node down."""
    cluster.in_node(
        """
        mkdir -p /etc/containerd/conf.d
        printf 'version = 3\\n' >/etc/containerd/conf.d/99-foreign.toml
        sed -i '1i imports = ["/etc/containerd/conf.d/*.toml"]' /etc/containerd/config.toml
        systemctl restart --no-block containerd
        """
    )
    told = finding(cluster, f"Node {cluster.worker}", "ContainerdDown")
    assert told["demand"] == 30
    said = cluster.machine.run("sh", "-c", told["command"], check=False)
    assert "drop-in config version 3 higher than root config version 2" in said
