"""Which cluster the options name: the spec's, or any by its kubeconfig."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aks_wasm.errors import UsageError

if TYPE_CHECKING:
    from aks_wasm.cli.options import Options
    from aks_wasm.kube.access import ClusterAccess


def access_of(options: Options) -> ClusterAccess | None:
    """Return the way into the cluster that `--kubeconfig` names; None when the spec's is meant.

    Raises:
        UsageError: `--context` stands alone, or `--kubeconfig` beside options that name the spec's cluster.
    """
    from aks_wasm.kube.access import ClusterAccess

    if options.kubeconfig is None:
        if options.kube_context:
            raise UsageError("`--context` needs `--kubeconfig`", hint="add `--kubeconfig FILE`")
        return None
    if options.target or options.local:
        raise UsageError(
            "`--kubeconfig` names a cluster, and so does `--target` or `--local`", hint="give one or the other"
        )
    return ClusterAccess(options.kubeconfig, options.kube_context)
