"""The real kubectl against the API server, the controllers and the kubelet of the tests."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from aks_wasm.emulator.certificates import CertificateAuthority
from aks_wasm.emulator.cluster.server import ApiServer
from tests.emulator.controllers.cluster import node, running

KUBECTL = shutil.which("kubectl")
pytestmark = [pytest.mark.kubectl, pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed")]

DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "main", "image": "example.test/web:1"}]},
        },
    },
}
JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "sum"},
    "spec": {
        "template": {
            "metadata": {"labels": {"does": "succeed"}},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "example.test/sum:1"}]},
        }
    },
}


class NoLogs:
    """The kubelet of these tests keeps none."""

    def open_log(self, *_: Any, **__: Any) -> AsyncIterator[bytes]:
        raise NotImplementedError


class Kubectl:
    def __init__(self, folder: Path, kubeconfig: Path) -> None:
        # kubectl writes its discovery cache under HOME.
        self._environment = {"KUBECONFIG": str(kubeconfig), "HOME": str(folder), "PATH": "/usr/bin:/bin"}
        self._folder = folder

    async def __call__(self, *words: str, given: Any = None) -> str:
        process = await asyncio.create_subprocess_exec(
            str(KUBECTL),
            *words,
            env=self._environment,
            cwd=self._folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(json.dumps(given).encode() if given else b""), 30)
        assert process.returncode == 0, f"kubectl {' '.join(words)}: {err.decode()}"
        return out.decode()


@pytest.fixture
async def kubectl(tmp_path: Path) -> AsyncIterator[Kubectl]:
    authority = CertificateAuthority.open(tmp_path, "ca")
    async with running(tmp_path) as cluster:
        cluster.store.create("nodes", node())
        server = ApiServer(
            cluster.store, authority, kubernetes_version="1.35.5", logs=NoLogs(), tokens=lambda _token: None
        )
        port = await server.start(None)
        try:
            yield Kubectl(tmp_path, _kubeconfig(tmp_path, authority, port))
        finally:
            await server.stop()


def _kubeconfig(folder: Path, authority: CertificateAuthority, port: int) -> Path:
    certificate, key = authority.client_certificate("masterclient", ["system:masters"])
    for name, content in (("ca", authority.certificate_pem), ("user", certificate), ("key", key)):
        (folder / f"{name}-for-kubectl.pem").write_bytes(content)
    path = folder / "kubeconfig"
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "it",
                "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
                "clusters": [
                    {
                        "name": "it",
                        "cluster": {
                            "server": f"https://127.0.0.1:{port}",
                            "certificate-authority": str(folder / "ca-for-kubectl.pem"),
                        },
                    }
                ],
                "users": [
                    {
                        "name": "it",
                        "user": {
                            "client-certificate": str(folder / "user-for-kubectl.pem"),
                            "client-key": str(folder / "key-for-kubectl.pem"),
                        },
                    }
                ],
            }
        )
    )
    return path


async def test_kubectl_rolls_out_scales_undoes_and_deletes_a_deployment(kubectl: Kubectl):
    await kubectl("apply", "-f", "-", given=DEPLOYMENT)
    assert 'deployment "web" successfully rolled out' in await kubectl("rollout", "status", "deployment/web")

    await kubectl("scale", "deployment/web", "--replicas=3")
    await kubectl("wait", "deployment/web", "--for=jsonpath={.status.availableReplicas}=3")
    await kubectl("set", "image", "deployment/web", "main=example.test/web:2")
    await kubectl("rollout", "status", "deployment/web")
    history = await kubectl("rollout", "history", "deployment/web")
    assert [line.split()[0] for line in history.splitlines()[2:] if line] == ["1", "2"]

    await kubectl("rollout", "undo", "deployment/web")
    await kubectl("rollout", "status", "deployment/web")
    images = await kubectl("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].spec.containers[0].image}")
    assert "example.test/web:1" in images.split()

    await kubectl("delete", "deployment/web", "--cascade=foreground", "--wait")
    assert await kubectl("get", "pods,replicasets", "-o", "name") == ""


async def test_kubectl_waits_for_a_job_and_deletes_its_namespace(kubectl: Kubectl):
    await kubectl("apply", "-f", "-", given={"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    await kubectl("apply", "-n", "shop", "-f", "-", given=JOB)
    await kubectl("wait", "-n", "shop", "job/sum", "--for=condition=complete")
    described = await kubectl("describe", "-n", "shop", "job/sum")
    assert "Job completed" in described

    await kubectl("delete", "namespace", "shop", "--wait")
    assert "shop" not in await kubectl("get", "namespaces", "-o", "name")
