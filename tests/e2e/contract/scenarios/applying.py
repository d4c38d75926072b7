"""Server-side apply: owners of fields, conflicts, what goes when its owner drops it."""

from __future__ import annotations

from tests.e2e.contract.scenarios.objects import config_map, deployment, job, pod, runtime_class, service
from tests.e2e.contract.scenarios.registry import Space, scenario
from tests.e2e.contract.transcript import Transcript


@scenario
def an_apply_creates_and_owns(api: Transcript, space: Space) -> None:
    api.apply(f"{space.core}/configmaps/settings", config_map(a="1", b="2"))
    api.get(f"{space.core}/configmaps/settings")


@scenario
def the_same_again_writes_nothing(api: Transcript, space: Space) -> None:
    first = api.apply(f"{space.apps}/deployments/web", deployment(replicas=2))
    again = api.apply(f"{space.apps}/deployments/web", deployment(replicas=2))
    assert first["metadata"]["resourceVersion"] == again["metadata"]["resourceVersion"]


@scenario
def what_an_owner_drops_goes(api: Transcript, space: Space) -> None:
    where = f"{space.core}/configmaps/settings"
    api.apply(where, config_map(a="1", b="2"))
    api.apply(where, config_map(b="2"), "other")
    api.apply(where, config_map(a="1"))
    api.apply(where, config_map(a="1"), "other")


@scenario
def a_conflict_names_the_owner(api: Transcript, space: Space) -> None:
    where = f"{space.apps}/deployments/web"
    api.apply(where, deployment(replicas=2))
    api.apply(where, deployment(replicas=3, minReadySeconds=5), "other")
    api.apply(where, deployment(replicas=3), "other", "&force=true")
    api.apply(where, deployment(replicas=4))


@scenario
def several_conflicts_are_listed(api: Transcript, space: Space) -> None:
    where = f"{space.core}/configmaps/settings"
    api.apply(where, config_map(a="1", b="1"), "first")
    api.apply(where, config_map(b="1", c="1"), "second")
    api.apply(where, config_map(a="2", b="2", c="2"), "third")


@scenario
def an_update_takes_fields_over(api: Transcript, space: Space) -> None:
    where = f"{space.core}/configmaps/settings"
    api.apply(where, config_map(a="1", b="1"))
    api.patch(f"{where}?fieldManager=hand", {"data": {"a": "2"}})
    api.apply(where, config_map(a="1", b="1"))


@scenario
def lists_are_merged_by_key(api: Transcript, space: Space) -> None:
    where = f"{space.apps}/deployments/web"
    api.apply(where, deployment())
    more = {"containers": [{"name": "main", "env": [{"name": "TRACE", "value": "1"}]}]}
    part = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
    api.apply(where, {**part, "spec": {"template": {"spec": more}}}, "tracer")
    api.apply(where, deployment())
    api.apply(where, part, "tracer")


@scenario
def a_dry_run_writes_nothing(api: Transcript, space: Space) -> None:
    where = f"{space.core}/configmaps/settings"
    api.apply(where, config_map(), "ci", "&dryRun=All")
    api.get(where)
    api.apply(where, config_map())
    api.apply(where, config_map(a="2"), "ci", "&dryRun=All")
    api.get(where)


@scenario
def an_apply_that_is_none_is_refused(api: Transcript, space: Space) -> None:
    where = f"{space.core}/configmaps/settings"
    api.ask("PATCH", where, config_map(), media="application/apply-patch+yaml")
    api.apply(where, config_map("another"))
    api.apply(where, {**config_map(), "apiVersion": "v2"})
    api.apply(where, {**config_map(), "kind": "Secret"})
    api.apply(where, {**config_map(), "unknown": 1})
    api.apply(where, {**config_map(), "data": {"a": 1}})
    api.apply(where, "not: [yaml", "ci")
    managed = {"name": "settings", "managedFields": [{"manager": "x", "operation": "Apply"}]}
    api.apply(where, {**config_map(), "metadata": managed})


@scenario
def an_invalid_result_is_refused(api: Transcript, space: Space) -> None:
    where = f"{space.apps}/deployments/web"
    api.apply(where, deployment(replicas=-1))
    api.apply(where, {**deployment(), "spec": {"replicas": 1}})
    api.get(where)


@scenario
def every_kind_of_workload_is_applied(api: Transcript, space: Space) -> None:
    api.apply(f"{space.core}/pods/one", pod())
    api.apply(f"{space.batch}/jobs/task", job(backoffLimit=0))
    api.apply(f"{space.core}/services/web", service(type="LoadBalancer"))
    api.apply("/apis/node.k8s.io/v1/runtimeclasses/applied", runtime_class("applied", handler="spin"))


@scenario
def an_owner_keeps_what_a_status_says(api: Transcript, space: Space) -> None:
    where = f"{space.apps}/deployments/web"
    api.apply(where, deployment())
    status = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "status": {"replicas": 1}}
    api.apply(f"{where}/status", status, "controller")
    api.apply(where, deployment())
