"""What is to happen to a Job's pods: from the Job, its counts and its pods to a decision. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from aks_wasm.emulator.cluster.controllers.conditions import Condition
from aks_wasm.emulator.cluster.controllers.pods import is_active, is_ready, phase, restarts
from aks_wasm.emulator.cluster.trees import Tree

INDEX = "batch.kubernetes.io/job-completion-index"
FIRST_BACKOFF = 10.0  # seconds; DefaultJobPodFailureBackOff
LAST_BACKOFF = 600.0  # seconds; MaxJobPodFailureBackOff
_DEFAULT_BACKOFF_LIMIT = 6

REACHED = ("CompletionsReached", "Reached expected number of succeeded pods")
TOO_MANY_FAILURES = ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
TOO_LATE = ("DeadlineExceeded", "Job was active longer than specified deadline")


@dataclass(frozen=True)
class JobState:
    """A Job and its pods after those that ended have been counted.

    Attributes:
        job: The batch/v1 Job.
        pods: Its pods that are neither finished nor being deleted.
        succeeded: Pods that succeeded, ever.
        failed: Pods that failed, ever.
        done_indexes: Completed indexes of an Indexed Job.
        seconds_active: Since its start, wall time.
    """

    job: Tree
    pods: Sequence[Tree]
    succeeded: int
    failed: int
    done_indexes: frozenset[int] = frozenset()
    seconds_active: float = 0.0

    @property
    def spec(self) -> Tree:
        """The Job's spec."""
        spec: Tree = self.job["spec"]
        return spec

    @property
    def completions(self) -> int | None:
        """How many must succeed; None = one is enough and the others may end as they like."""
        wanted = self.spec.get("completions")
        return None if wanted is None else int(wanted)

    @property
    def indexed(self) -> bool:
        """Whether each completion has an index of its own."""
        return bool(self.spec.get("completionMode") == "Indexed")

    @property
    def active(self) -> int:
        """How many pods run or wait to run."""
        return len(self.pods)

    @property
    def ready(self) -> int:
        """How many of the active pods are ready."""
        return sum(is_ready(pod) for pod in self.pods)


@dataclass(frozen=True)
class Decision:
    """What to do next; at most one of its parts is set."""

    create: Sequence[int | None] = ()  # one for each pod to make: its index, or None
    delete: Sequence[Tree] = field(default=())
    ending: Condition | None = None  # SuccessCriteriaMet or FailureTarget


def decide(state: JobState) -> Decision:
    """Tell what a Job that has not ended needs."""
    if failure := _failure(state):
        return Decision(delete=state.pods, ending=Condition("FailureTarget", "True", *failure))
    if state.spec.get("suspend"):
        return Decision(delete=state.pods)
    if _is_complete(state):
        return Decision(delete=state.pods, ending=Condition("SuccessCriteriaMet", "True", *REACHED))
    if state.indexed:
        return _decide_indexed(state)
    wanted = _wanted(state)
    if state.active > wanted:
        return Decision(delete=_surplus(state.pods, state.active - wanted))
    return Decision(create=[None] * (wanted - state.active))


def backoff(failures: int) -> float:
    """Return the seconds a Job waits before it replaces a pod after so many failures in a row."""
    return float(min(FIRST_BACKOFF * 2 ** min(failures - 1, 30), LAST_BACKOFF)) if failures > 0 else 0.0


def index_of(pod: Tree) -> int | None:
    """Return the completion index of a pod, None when it has none."""
    text = (pod["metadata"].get("annotations") or {}).get(INDEX, "")
    return int(text) if text.isdigit() else None


def ranges(indexes: Sequence[int]) -> str:
    """Write indexes as status.completedIndexes does: `1,3-5,7`."""
    parts: list[list[int]] = []
    for index in sorted(indexes):
        if parts and parts[-1][1] == index - 1:
            parts[-1][1] = index
        else:
            parts.append([index, index])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in parts)


def parsed_ranges(text: str) -> frozenset[int]:
    """Read what `ranges` wrote."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        low, _, high = part.partition("-")
        found.update(range(int(low), int(high or low) + 1))
    return frozenset(found)


def _failure(state: JobState) -> tuple[str, str] | None:
    limit = state.spec.get("backoffLimit", _DEFAULT_BACKOFF_LIMIT)
    if state.failed > limit or _restarted_too_often(state, limit):
        return TOO_MANY_FAILURES
    deadline = state.spec.get("activeDeadlineSeconds")
    if deadline is not None and not state.spec.get("suspend") and state.seconds_active >= deadline:
        return TOO_LATE
    return None


def _restarted_too_often(state: JobState, limit: int) -> bool:
    if state.spec["template"]["spec"].get("restartPolicy") != "OnFailure":
        return False
    count = sum(restarts(pod) for pod in state.pods if phase(pod) in {"Pending", "Running"})
    return count > 0 if limit == 0 else count >= limit


def _is_complete(state: JobState) -> bool:
    if state.completions is None:
        return state.succeeded > 0 and state.active == 0
    return state.succeeded >= state.completions


def _wanted(state: JobState) -> int:
    parallelism = int(state.spec.get("parallelism", 1))
    if state.completions is None:
        return state.active if state.succeeded else parallelism
    return max(0, min(parallelism, state.completions - state.succeeded))


def _surplus(pods: Sequence[Tree], count: int) -> list[Tree]:
    order = sorted(pods, key=lambda pod: (bool(pod["spec"].get("nodeName")), phase(pod) != "Pending", is_ready(pod)))
    return [pod for pod in order if is_active(pod)][:count]


def _decide_indexed(state: JobState) -> Decision:
    taken: set[int] = set()
    surplus = []
    wanted = _wanted(state)
    for pod in state.pods:
        index = index_of(pod)
        if index is None or index in taken or index in state.done_indexes or index >= (state.completions or 0):
            surplus.append(pod)
        else:
            taken.add(index)
    if surplus:
        return Decision(delete=surplus)
    if state.active > wanted:
        return Decision(delete=_surplus(state.pods, state.active - wanted))
    free = (index for index in range(state.completions or 0) if index not in taken | state.done_indexes)
    return Decision(create=[index for index, _ in zip(free, range(wanted - state.active), strict=False)])
