"""The one question this emulator exists for: does the service grant a WASI node pool?"""

from __future__ import annotations

from aks_wasm.emulator.arm import features, providers
from aks_wasm.emulator.arm.context import Arm, Document
from aks_wasm.emulator.arm.errors import ProviderError, invalid_parameter
from aks_wasm.emulator.arm.names import CONTAINER_SERVICE

FEATURE = "WasmNodePoolPreview"
RUNTIME = "WasmWasi"


def judge(arm: Arm, pool: str, properties: Document) -> None:
    """Refuse a WASI node pool that the service does not grant; other runtimes pass.

    Args:
        arm: The service; its age decides.
        pool: The pool's name.
        properties: The pool's, defaults filled in.

    Raises:
        ProviderError: 400. Today InvalidWorkloadRuntimeSettingError whatever the feature's state, verbatim
            as seen in 2026; in 2022 PreviewFeatureNotRegistered until the feature is Registered
            and the provider has been registered again since.
    """
    if properties.get("workloadRuntime") != RUNTIME:
        return
    if arm.context.age == "today":
        raise _retired(pool)
    registered = features.state(arm, CONTAINER_SERVICE, FEATURE) == "Registered"
    if not registered or not providers.knows_feature(arm, CONTAINER_SERVICE, FEATURE):
        message = f"Preview feature {CONTAINER_SERVICE}/{FEATURE} not registered."
        raise ProviderError(400, "PreviewFeatureNotRegistered", message)
    if properties["osType"] != "Linux":
        reason = f"WorkloadRuntime {RUNTIME} is only supported on Linux agent pools."
        raise invalid_parameter("agentPoolProfile.workloadRuntime", reason)
    if properties["mode"] != "User":
        reason = f"WorkloadRuntime {RUNTIME} is not supported on system agent pools."
        raise invalid_parameter("agentPoolProfile.workloadRuntime", reason)


def _retired(pool: str) -> ProviderError:
    message = (
        f"The agent pool {pool} has a deprecated workload runtime {RUNTIME}. WebAssembly System Interface (WASI) node "
        "pools (preview) are no longer supported on AKS. For more information on the retirement, see "
        "https://aka.ms/aks/wasi-retirement. If you'd like to run WebAssembly (WASM) workloads, you can deploy "
        "SpinKube to Azure Kubernetes Service."
    )
    return ProviderError(400, "InvalidWorkloadRuntimeSettingError", message)
