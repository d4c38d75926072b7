"""The `kind` of each command's document, needed when the command fails before it has a result."""

from __future__ import annotations

CLUSTER_KINDS = {"up": "UpResult", "plan": "PlanResult", "down": "DownResult", "status": "StatusResult"}
OTHER_KINDS = {
    "doctor": "DoctorResult",
    "feature": "FeatureResult",
    "nodepool list": "NodePoolList",
    "nodepool": "NodePoolResult",
    "runtime list": "RuntimeList",
    "runtime install": "RuntimeInstallation",
    "runtime verify": "RuntimeVerification",
    "runtime upgrade": "RuntimeUpgrade",
    "runtime remove": "RuntimeRemoval",
    "workload list": "WorkloadList",
    "workload logs": "WorkloadLogs",
    "workload": "WorkloadResult",
    "kubeconfig": "KubeconfigResult",
    "kube-token": "KubeTokenResult",
    "emulator": "EmulatorResult",
    "schema": "SchemaResult",
    "version": "VersionResult",
}


def kind_of(command: str) -> str:
    """Return the kind for a command such as `nodepool add`; `ErrorResult` when there is no such command."""
    noun = command.partition(" ")[0]
    kinds = CLUSTER_KINDS | OTHER_KINDS
    return kinds.get(command) or kinds.get(noun) or "ErrorResult"
