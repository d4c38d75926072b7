"""Everything commands can ask for, imported when it is asked for; tests hand in another object with these methods."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aks_wasm.errors import ServiceError

if TYPE_CHECKING:
    from aks_wasm.emulator.launch import Running, Wanted
    from aks_wasm.kube.access import ClusterAccess
    from aks_wasm.settings import Settings
    from aks_wasm.spec.models import ClusterSpec, NodePool
    from aks_wasm.workflows.context import Run
    from aks_wasm.workflows.doctor.findings import DoctorResult
    from aks_wasm.workflows.results import ActionResult, ClusterResult, ListResult
    from aks_wasm.workflows.runtimes.answers import RuntimeClassList, RuntimeResult


class UseCases:
    """The workflows, one method each. What they do is said where they are defined."""

    def up(self, run: Run, *, retain: bool) -> ClusterResult:
        """Converge everything."""
        from aks_wasm.workflows.up import up

        return up(run, retain=retain)

    def plan_up(self, run: Run) -> ClusterResult:
        """Say what `up` would do."""
        from aks_wasm.workflows.up import plan_up

        return plan_up(run)

    def down(self, run: Run, *, wait: bool) -> ClusterResult:
        """Delete what `up` made."""
        from aks_wasm.workflows.down import down

        return down(run, wait=wait)

    def down_expired(self, run: Run, *, wait: bool) -> ClusterResult:
        """Delete what has outlived its mark."""
        from aks_wasm.workflows.down import down_expired

        return down_expired(run, wait=wait)

    def plan_down(self, run: Run, *, expired: bool) -> list[str]:
        """Say what `down` would delete."""
        from aks_wasm.workflows.down import plan_down, plan_down_expired

        return plan_down_expired(run) if expired else plan_down(run)

    def status(self, run: Run) -> ClusterResult:
        """Read every layer."""
        from aks_wasm.workflows.status import status

        return status(run)

    def doctor(
        self, spec: ClusterSpec, settings: Settings, open_run: Callable[[], Run], spec_arguments: list[str]
    ) -> DoctorResult:
        """Diagnose the file's cluster, and this machine."""
        from aks_wasm.workflows.doctor.diagnose import diagnose
        from aks_wasm.workflows.doctor.ways import Ways

        return diagnose(spec, settings, open_run, Ways(spec=spec, spec_arguments=tuple(spec_arguments)))

    def doctor_of(self, access: ClusterAccess) -> DoctorResult:
        """Diagnose the cluster that a kubeconfig leads to."""
        from aks_wasm.workflows.doctor.diagnose import diagnose_given

        return diagnose_given(access)

    def feature(self, run: Run, verb: str) -> ActionResult:
        """Show, register or unregister the preview feature."""
        from aks_wasm.workflows.feature import register, show, unregister

        return {"show": show, "register": register, "unregister": unregister}[verb](run)

    def list_node_pools(self, run: Run) -> ListResult:
        """List the cluster's node pools."""
        from aks_wasm.workflows.node_pools import list_node_pools

        return list_node_pools(run)

    def add_node_pool(self, run: Run, pool: NodePool) -> ActionResult:
        """Add a node pool."""
        from aks_wasm.workflows.node_pools import add_node_pool

        return add_node_pool(run, pool)

    def scale_node_pool(
        self, run: Run, name: str, *, count: int | None, minimum: int | None, maximum: int | None
    ) -> ActionResult:
        """Change a node pool's size."""
        from aks_wasm.workflows.node_pools import scale_node_pool

        return scale_node_pool(run, name, count=count, minimum=minimum, maximum=maximum)

    def delete_node_pool(self, run: Run, name: str) -> ActionResult:
        """Delete a node pool."""
        from aks_wasm.workflows.node_pools import delete_node_pool

        return delete_node_pool(run, name)

    def install_runtimes(
        self, run: Run, words: Sequence[str], *, selector: Mapping[str, str] | None, given: Mapping[str, Any]
    ) -> RuntimeResult:
        """Put shims on nodes."""
        from aks_wasm.workflows.runtimes.install import InstallOptions, install
        from aks_wasm.workflows.runtimes.site import site_of

        return install(site_of(run, selector=selector), words, InstallOptions(**given))

    def list_runtimes(self, run: Run) -> RuntimeClassList:
        """List the RuntimeClasses."""
        from aks_wasm.workflows.runtimes.listing import list_runtimes
        from aks_wasm.workflows.runtimes.site import site_of

        return list_runtimes(site_of(run))

    def verify_runtimes(
        self, run: Run, words: Sequence[str], images: Mapping[str, str], *, node: str | None
    ) -> RuntimeResult:
        """Prove runtimes on nodes."""
        from aks_wasm.workflows.runtimes.site import site_of
        from aks_wasm.workflows.runtimes.trials import Asked
        from aks_wasm.workflows.runtimes.verify import verify

        return verify(site_of(run), Asked(words, images), node=node)

    def upgrade_runtimes(
        self, run: Run, words: Sequence[str], images: Mapping[str, str], *, everybody: bool, dry_run: bool
    ) -> RuntimeResult:
        """Go to other versions."""
        from aks_wasm.workflows.runtimes.site import site_of
        from aks_wasm.workflows.runtimes.upgrade import upgrade

        return upgrade(site_of(run), words, images, everybody=everybody, dry_run=dry_run)

    def remove_runtimes(self, run: Run, words: Sequence[str], *, everything: bool, dry_run: bool) -> RuntimeResult:
        """Take shims off nodes."""
        from aks_wasm.workflows.runtimes.remove import remove
        from aks_wasm.workflows.runtimes.site import site_of

        return remove(site_of(run), words, everything=everything, dry_run=dry_run)

    def list_workloads(self, run: Run) -> ListResult:
        """List the workloads."""
        from aks_wasm.workflows.workloads import list_workloads

        return list_workloads(run)

    def logs(self, run: Run, name: str, *, follow: bool, tail: int | None, previous: bool) -> Iterator[str]:
        """Read what a workload wrote."""
        from aks_wasm.workflows.workloads import logs

        return logs(run, name, follow=follow, tail=tail, previous=previous)

    def delete_workload(self, run: Run, name: str) -> ActionResult:
        """Delete a workload."""
        from aks_wasm.workflows.workloads import delete_workload

        return delete_workload(run, name)

    def kubeconfig_text(self, run: Run) -> str:
        """Return a kubeconfig."""
        from aks_wasm.workflows.kubeconfig import kubeconfig_text

        return kubeconfig_text(run)

    def write_kubeconfig(self, run: Run, path: Path) -> ActionResult:
        """Write a kubeconfig to a file of its own."""
        from aks_wasm.workflows.kubeconfig import write_kubeconfig

        return write_kubeconfig(run, path)

    def merge_kubeconfig(self, run: Run) -> ActionResult:
        """Merge a kubeconfig into the user's own."""
        from aks_wasm.workflows.kubeconfig import merge_kubeconfig

        return merge_kubeconfig(run)

    def kube_token(self, settings: Settings) -> str:
        """Return an ExecCredential."""
        from aks_wasm.workflows.kubeconfig import kube_token

        return kube_token(settings)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the spec."""
        from aks_wasm.spec.schema import json_schema

        return json_schema()

    def start_emulator(self, settings: Settings, wanted: Wanted) -> Running:
        """Start the emulator's daemon."""
        from aks_wasm.emulator.launch import start

        return start(settings, wanted)

    def stop_emulator(self, settings: Settings) -> bool:
        """Stop it."""
        from aks_wasm.emulator.launch import stop

        return stop(settings)

    def serve_emulator(self, settings: Settings, wanted: Wanted) -> int:
        """Be the daemon until Ctrl+C; return its exit code."""
        from aks_wasm.emulator.__main__ import main

        pairs = (("--port", wanted.port), ("--pace", wanted.pace), ("--service-age", wanted.service_age))
        options = [word for flag, value in pairs if value is not None for word in (flag, str(value))]
        return main(["--home", str(settings.home), "--foreground", *options])

    def emulator_environment(self, settings: Settings, style: str) -> str:
        """Say what others need to talk to the emulator."""
        from aks_wasm.emulator.environment import render, variables
        from aks_wasm.emulator.launch import status

        running = status(settings)
        if running is None:
            raise ServiceError(
                "the emulator does not run", code="EmulatorNotRunning", hint="run `aks-wasm emulator start` first"
            )
        return render(variables(running), style)

    def emulator_status(self, settings: Settings) -> Running | None:
        """Find it."""
        from aks_wasm.emulator.launch import status

        return status(settings)
