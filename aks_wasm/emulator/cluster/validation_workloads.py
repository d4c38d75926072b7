"""What can be wrong with Deployments, ReplicaSets, DaemonSets, StatefulSets and Jobs (pkg/apis/apps, batch)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aks_wasm.emulator.cluster.causes import Cause, invalid, not_supported, required
from aks_wasm.emulator.cluster.selectors import selects
from aks_wasm.emulator.cluster.trees import Tree, dig
from aks_wasm.emulator.cluster.validation_pods import template_problems

_ALWAYS = ("Always",)
_SHARES = ("maxUnavailable", "maxSurge")
_DAEMONS_ROLL = "spec.updateStrategy.rollingUpdate"
_PERCENT = re.compile("[0-9]+%")


def deployment_problems(obj: Tree) -> Iterator[Cause]:
    """Yield what is wrong with a Deployment."""
    spec = obj["spec"]
    yield from _not_negative(spec, "replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")
    yield from _selector_problems(spec, "deployment")
    yield from template_problems(spec, "spec.template", _ALWAYS)
    kind = dig(spec, "strategy", "type")
    if kind not in {"Recreate", "RollingUpdate"}:
        yield not_supported("spec.strategy.type", kind, ["Recreate", "RollingUpdate"])
    if kind == "Recreate" and dig(spec, "strategy", "rollingUpdate"):
        why = "may not be specified when strategy `type` is 'Recreate'"
        yield Cause("spec.strategy.rollingUpdate", "FieldValueForbidden", f"Forbidden: {why}")
    rolling = dig(spec, "strategy", "rollingUpdate") or {}
    yield from _share_problems(rolling, "spec.strategy.rollingUpdate")
    if all(rolling.get(name) in {0, "0%"} for name in ("maxUnavailable", "maxSurge")):
        why = "may not be 0 when `maxSurge` is 0"
        yield invalid("spec.strategy.rollingUpdate.maxUnavailable", rolling["maxUnavailable"], why)


def replica_set_problems(obj: Tree) -> Iterator[Cause]:
    """Yield what is wrong with a ReplicaSet."""
    yield from _not_negative(obj["spec"], "replicas", "minReadySeconds")
    yield from _selector_problems(obj["spec"], "ReplicaSet")
    yield from template_problems(obj["spec"], "spec.template", _ALWAYS)


def daemon_set_problems(obj: Tree) -> Iterator[Cause]:
    """Yield what is wrong with a DaemonSet."""
    yield from _not_negative(obj["spec"], "minReadySeconds", "revisionHistoryLimit")
    yield from _selector_problems(obj["spec"], "daemonset")
    strategy = obj["spec"].get("updateStrategy") or {}
    if strategy.get("type") not in {"RollingUpdate", "OnDelete"}:
        yield not_supported("spec.updateStrategy", strategy, ["RollingUpdate", "OnDelete"])
        return
    rolling = strategy.get("rollingUpdate") or {}
    yield from _share_problems(rolling, _DAEMONS_ROLL)
    if strategy["type"] == "RollingUpdate" and all(_is_none(rolling.get(name)) for name in _SHARES):
        yield required(f"{_DAEMONS_ROLL}.maxUnavailable", "cannot be 0 when maxSurge is 0")
    yield from template_problems(obj["spec"], "spec.template", _ALWAYS)


def stateful_set_problems(obj: Tree) -> Iterator[Cause]:
    """Yield what is wrong with a StatefulSet."""
    yield from _not_negative(obj["spec"], "replicas", "minReadySeconds", "revisionHistoryLimit")
    yield from _selector_problems(obj["spec"], "statefulset")
    yield from template_problems(obj["spec"], "spec.template", _ALWAYS)


def job_problems(obj: Tree) -> Iterator[Cause]:
    """Yield what is wrong with a Job."""
    spec = obj["spec"]
    yield from _not_negative(
        spec, "parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"
    )
    if spec.get("completionMode") not in {"NonIndexed", "Indexed"}:
        yield not_supported("spec.completionMode", spec.get("completionMode"), ["Indexed", "NonIndexed"])
    if spec.get("completionMode") == "Indexed" and "completions" not in spec:
        yield required("spec.completions", "when completion mode is Indexed")
    if spec.get("template") and not selects(spec.get("selector"), dig(spec, "template", "metadata", "labels")):
        yield _mismatch(spec)
    yield from template_problems(spec, "spec.template", ("OnFailure", "Never"))


def _share_problems(rolling: Tree, place: str) -> Iterator[Cause]:
    for name in _SHARES:
        share = rolling.get(name)
        if isinstance(share, str) and not _PERCENT.fullmatch(share):
            why = "a valid percent string must be a numeric string followed by an ending '%'"
            told = f"{why} (e.g. '1%',  or '93%', regex used for validation is '{_PERCENT.pattern}')"
            yield invalid(f"{place}.{name}", share, told)
        elif isinstance(share, int) and share < 0:
            yield invalid(f"{place}.{name}", share, "must be greater than or equal to 0")


def _is_none(share: int | str | None) -> bool:
    """Tell whether a share is nothing, or text that is no share."""
    if isinstance(share, str):
        return not _PERCENT.fullmatch(share) or not int(share.removesuffix("%"))
    return not share


def daemon_set_status_problems(obj: Tree) -> Iterator[Cause]:
    """Yield the counts of a DaemonSet's status that are below zero."""
    for name, count in (obj.get("status") or {}).items():
        if isinstance(count, int) and count < 0:
            yield invalid(f"status.{name}", count, "must be greater than or equal to 0")


def _not_negative(spec: Tree, *fields: str) -> Iterator[Cause]:
    for name in fields:
        if spec.get(name, 0) < 0:
            yield invalid(f"spec.{name}", spec[name], "must be greater than or equal to 0")


def _selector_problems(spec: Tree, kind: str) -> Iterator[Cause]:
    selector = spec.get("selector")
    if selector is None:
        yield required("spec.selector")
    elif not selector.get("matchLabels") and not selector.get("matchExpressions"):
        yield invalid("spec.selector", selector, f"empty selector is invalid for {kind}")
    # A missing selector is told of twice, as a real server does.
    if spec.get("template") and not selects(selector, dig(spec, "template", "metadata", "labels")):
        yield _mismatch(spec)


def _mismatch(spec: Tree) -> Cause:
    labels = dig(spec, "template", "metadata", "labels") or {}
    return invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
