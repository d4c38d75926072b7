"""The real kubectl against the emulated API server: what a user types works, and is answered in the known words."""

from __future__ import annotations

import pytest
import yaml

from .conftest import Cluster, Kubectl, config_map, deployment

pytestmark = pytest.mark.kubectl

CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: shims.runtime.example.com}
spec:
  group: runtime.example.com
  scope: Cluster
  names: {plural: shims, kind: Shim}
  versions:
  - name: v1
    served: true
    storage: true
    additionalPrinterColumns: [{name: Handler, type: string, jsonPath: .spec.handler}]
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, required: [handler], properties: {handler: {type: string}}}
"""


def written(obj: dict) -> str:
    return yaml.safe_dump(obj)


def test_create_get_and_delete(kubectl: Kubectl) -> None:
    assert kubectl("create", "namespace", "shop") == "namespace/shop created\n"
    kubectl("create", "configmap", "settings", "--from-literal=a=b", "-n", "shop")
    kubectl("create", "secret", "generic", "keys", "--from-literal=a=b", "-n", "shop")
    assert "settings   1" in kubectl("get", "configmaps,secrets", "-n", "shop")
    assert kubectl("get", "cm", "settings", "-n", "shop", "-o", "jsonpath={.data.a}") == "b"
    kubectl("delete", "cm", "settings", "-n", "shop")
    told = kubectl("get", "cm", "settings", "-n", "shop", fails=True)
    assert 'Error from server (NotFound): configmaps "settings" not found' in told


def test_typed_creates_of_workloads_show_in_tables(kubectl: Kubectl) -> None:
    kubectl("create", "deployment", "web", "--image=hello:1", "--replicas=2", "--port=80")
    kubectl("create", "job", "once", "--image=hello:1", "--", "run")
    kubectl("run", "alone", "--image=hello:1")
    kubectl("expose", "deployment", "web", "--type=NodePort")
    shown = kubectl("get", "deploy,job,pod", "-o", "wide")
    assert "deployment.apps/web   0/2" in shown
    assert "hello:1   app=web" in shown
    assert "job.batch/once   Running   0/1" in shown
    assert "pod/alone   0/1     Pending" in shown
    assert "NodePort" in kubectl("get", "svc", "web")
    described = kubectl("describe", "deployment", "web")
    assert "StrategyType:           RollingUpdate" in described


def test_apply_changes_what_changed_and_nothing_else(kubectl: Kubectl, cluster: Cluster) -> None:
    first = deployment(replicas=1)
    assert kubectl("apply", "-f", "-", manifest=written(first)) == "deployment.apps/web created\n"
    assert kubectl("apply", "-f", "-", manifest=written(first)) == "deployment.apps/web unchanged\n"
    second = deployment(replicas=3)
    second["spec"]["template"]["spec"]["containers"].append({"name": "side", "image": "side:1"})
    changed = kubectl("diff", "-f", "-", manifest=written(second), fails=True)
    assert changed == ""  # it fails by its exit code only: there is a difference
    kubectl("apply", "-f", "-", manifest=written(second))
    kubectl("apply", "-f", "-", manifest=written(deployment(replicas=3)))
    live = yaml.safe_load(kubectl("get", "deploy", "web", "-o", "yaml"))
    assert [one["name"] for one in live["spec"]["template"]["spec"]["containers"]] == ["main"]
    assert live["spec"]["replicas"] == 3
    strategic = [path for method, path, _, _ in cluster.journal if method == "PATCH"]
    assert strategic
    assert not any("/openapi/v2" in path for _, path, _, _ in cluster.journal)


def test_server_side_apply_tells_of_conflicts(kubectl: Kubectl) -> None:
    kubectl("apply", "--server-side", "-f", "-", manifest=written(deployment(replicas=1)))
    kubectl("scale", "deployment", "web", "--replicas=5")
    told = kubectl("apply", "--server-side", "-f", "-", manifest=written(deployment(replicas=1)), fails=True)
    assert (
        'Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas'
        in told
    )
    forced = ("apply", "--server-side", "--force-conflicts", "-f", "-")
    kubectl(*forced, manifest=written(deployment(replicas=1)))
    assert kubectl("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}") == "1"


def test_label_annotate_patch_and_wait(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", manifest=written(config_map()))
    kubectl("label", "cm", "settings", "tier=front")
    kubectl("annotate", "cm", "settings", "note=kept")
    kubectl("patch", "cm", "settings", "--type=merge", "-p", '{"data":{"b":"2"}}')
    kubectl("patch", "cm", "settings", "--type=json", "-p", '[{"op":"remove","path":"/data/a"}]')
    kubectl("wait", "cm/settings", "--for=jsonpath={.data.b}=2", "--timeout=5s")
    assert "settings   1" in kubectl("get", "cm", "-l", "tier in (front,back)")
    kubectl("delete", "cm", "-l", "tier=front")
    kubectl("wait", "cm/settings", "--for=delete", "--timeout=5s")


def test_misspelt_and_wrong_fields_are_told(kubectl: Kubectl) -> None:
    misspelt = deployment(replica=2)
    told = kubectl("create", "-f", "-", manifest=written(misspelt), fails=True)
    assert 'strict decoding error: unknown field "spec.replica"' in told
    told = kubectl("create", "-f", "-", manifest=written(deployment(replicas="2")), fails=True)
    assert "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32" in told
    broken = deployment()
    broken["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    told = kubectl("apply", "-f", "-", manifest=written(broken), fails=True)
    assert (
        'The Deployment "web" is invalid: spec.template.metadata.labels: Invalid value: {"app":"other"}: `selector` '
        "does not match template `labels`" in told
    )


def test_what_nothing_acts_on_is_warned_of(kubectl: Kubectl) -> None:
    nightly = ("cronjob", "nightly", "--image=hello:1", "--schedule=@daily")
    told = kubectl("create", *nightly, "--warnings-as-errors", fails=True)
    assert "the aks-wasm emulator keeps a CronJob but has no controller that acts on it" in told
    assert "nightly" in kubectl("get", "cronjobs")


def test_explain_api_resources_and_version(kubectl: Kubectl) -> None:
    explained = kubectl("explain", "deployment.spec.strategy")
    assert "DeploymentStrategy describes how to replace existing pods" in explained
    assert "rollingUpdate\t<RollingUpdateDeployment>" in explained
    assert "image <string>" in kubectl("explain", "pod.spec.containers.image")
    assert "runtimeclasses" in kubectl("api-resources", "--api-group=node.k8s.io")
    assert "v1.35.5" in kubectl("version")


def test_events_and_rights(kubectl: Kubectl, cluster: Cluster) -> None:
    kubectl("run", "alone", "--image=hello:1")

    def happen(store) -> None:
        found = store.get("pods", "alone", "default")
        for _ in range(2):
            store.record_event(found, "Failed", "no such image", type="Warning")

    cluster.within(happen)
    assert "no such image" in kubectl("events", "--for", "pod/alone")
    assert "(x2 over" in kubectl("describe", "pod", "alone")
    assert kubectl("auth", "can-i", "delete", "nodes") == "yes\n"
    assert "system:masters" in kubectl("auth", "whoami")
    kubectl("auth", "can-i", "delete", "nodes", "--as=somebody", fails=True)


def test_custom_resources_are_served_at_once(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", manifest=CRD)
    kubectl("wait", "crd/shims.runtime.example.com", "--for=condition=Established", "--timeout=5s")
    shim = {"apiVersion": "runtime.example.com/v1", "kind": "Shim", "metadata": {"name": "spin"}}
    kubectl("apply", "-f", "-", manifest=written({**shim, "spec": {"handler": "spin"}}))
    assert "spin   spin" in kubectl("get", "shims")
    told = kubectl("apply", "-f", "-", manifest=written({**shim, "spec": {"handlr": "spin"}}), fails=True)
    assert 'unknown field "spec.handlr"' in told


def test_logs_follow_the_container_asked_for(kubectl: Kubectl, cluster: Cluster) -> None:
    two = {"containers": [{"name": "a", "image": "x"}, {"name": "b", "image": "x"}], "nodeName": "node"}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pair"}, "spec": two}
    kubectl("create", "-f", "-", manifest=written(manifest))
    cluster.logs.lines["pair/b"] = [b"hello\n", b"world\n"]
    assert kubectl("logs", "pair", "-c", "b", "-f", "--tail=5") == "hello\nworld\n"
    assert cluster.logs.asked[-1].tail_lines == 5
    assert cluster.logs.asked[-1].follow is True
    assert "is waiting to start: ContainerCreating" in kubectl("logs", "pair", "-c", "a", fails=True)
    assert "does not offer exec" in kubectl("exec", "pair", "-c", "a", "--", "ls", fails=True)
