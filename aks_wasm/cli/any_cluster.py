"""Begins work on the cluster that the options name: the spec's, or any by its kubeconfig."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aks_wasm.cli.access import access_of
from aks_wasm.errors import UsageError

if TYPE_CHECKING:
    from aks_wasm.cli.context import AppContext
    from aks_wasm.spec.models import ClusterSpec
    from aks_wasm.workflows.context import Run

OWNER = "aks-wasm"
"""What our marks say where no file gives a name."""


def begin_run(app: AppContext, name: str | None = None) -> Run:
    """Open the cluster; from here on Ctrl+C ends waits in order.

    Args:
        app: The invocation.
        name: Whose the marks say things are; None takes the file's name, else `aks-wasm`.

    Raises:
        UsageError: The options contradict each other, or the name is none.
    """
    access = access_of(app.options)
    if access is not None:
        return app.run_on(access.text(), _spec(app, name))
    if name is not None:
        raise UsageError("`--name` goes with `--kubeconfig`; the file has a name", hint="leave it out")
    return app.run()


def _spec(app: AppContext, name: str | None) -> ClusterSpec:
    from aks_wasm.spec.models import CLUSTER_NAME, ClusterSpec, Metadata

    if name is not None and re.match(CLUSTER_NAME, name) is None:
        raise UsageError(f"`--name {name}` is no name", hint="take at most 45 lower-case letters, digits and dashes")
    if app.options.file is None and not app.options.sets:
        return ClusterSpec(metadata=Metadata(name=name or OWNER), shims=())
    spec = app.spec()  # its shims and its installer hold here too
    return spec if name is None else spec.model_copy(update={"metadata": Metadata(name=name)})
