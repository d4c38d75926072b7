"""Job: pods until enough of them succeeded, too many failed or the time is up; then the verdict."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from aks_wasm.emulator.cluster.controllers import job_pods
from aks_wasm.emulator.cluster.controllers.conditions import Condition, find, is_true, put
from aks_wasm.emulator.cluster.controllers.job_backoff import FailureLog
from aks_wasm.emulator.cluster.controllers.job_plan import Decision, JobState, decide, parsed_ranges, ranges
from aks_wasm.emulator.cluster.controllers.ownership import controller_of, owned_by
from aks_wasm.emulator.cluster.controllers.pods import is_active, is_finished, is_going
from aks_wasm.emulator.cluster.controllers.timestamps import seconds_since
from aks_wasm.emulator.cluster.controllers.work import Key, Notice, key_of
from aks_wasm.emulator.cluster.controllers.world import World
from aks_wasm.emulator.cluster.statuses import ApiFailure
from aks_wasm.emulator.cluster.trees import Tree, now

PLURAL = "jobs.batch"
_OURSELVES = "kubernetes.io/job-controller"
_ENDINGS = {"SuccessCriteriaMet": "Complete", "FailureTarget": "Failed"}


class JobController:
    """Runs Jobs to their end. Deadlines and times to live are wall time; the back-off follows the pace."""

    watches = (PLURAL, "pods")

    def __init__(self, world: World) -> None:
        self._world = world
        self._store = world.store
        self._failures = FailureLog(world.pace)
        # A node agent removes a pod at once, whatever mark it has: what ended unseen is remembered here.
        self._vanished: dict[str, list[Tree]] = defaultdict(list)

    def keys(self, notice: Notice) -> Iterable[Key]:
        """A Job itself, or the one that controls a changed pod."""
        if notice.plural == PLURAL:
            return [key_of(notice.object)]
        reference = controller_of(notice.object)
        if reference is None or reference["kind"] != "Job":
            return []
        namespace = notice.object["metadata"]["namespace"]
        job = self._store.peek(PLURAL, reference["name"], namespace)
        counts = job is not None and job["metadata"]["uid"] == reference["uid"]
        if counts and notice.kind == "DELETED" and job_pods.is_uncounted(notice.object):
            self._vanished[reference["uid"]].append(notice.object)
        return [Key(namespace, reference["name"])]

    def reconcile(self, key: Key) -> float | None:
        """Take one Job a step further.

        Raises:
            ApiFailure: A pod could not be made.
        """
        job = self._store.get(PLURAL, key.name, key.namespace)
        self._let_strangers_go(key, job)
        if job is None or job["spec"].get("managedBy", _OURSELVES) != _OURSELVES:
            return None
        status = job.setdefault("status", {})
        if is_true(status, "Complete") or is_true(status, "Failed"):
            return self._after_the_end(job)
        if is_going(job):
            job_pods.let_go(self._store, self._pods(job))
            return None
        self._begin(job)
        self._count(job)
        return self._act(job)

    def _pods(self, job: Tree) -> list[Tree]:
        return owned_by(self._store.view("pods", job["metadata"]["namespace"]), job)

    def _let_strangers_go(self, key: Key, job: Tree | None) -> None:
        """Take the mark off pods whose Job of that name is gone, so that they can be deleted."""
        for pod in self._store.view("pods", key.namespace):
            reference = controller_of(pod)
            if reference is None or (reference["kind"], reference["name"]) != ("Job", key.name):
                continue
            if job is None or job["metadata"]["uid"] != reference["uid"]:
                job_pods.let_go(self._store, [pod])

    def _after_the_end(self, job: Tree) -> float | None:
        job_pods.let_go(self._store, self._pods(job))
        self._failures.forget(job)
        self._vanished.pop(job["metadata"]["uid"], None)
        ttl = job["spec"].get("ttlSecondsAfterFinished")
        if ttl is None or is_going(job):
            return None
        end = find(job["status"], "Complete") or find(job["status"], "Failed") or {}
        left = float(ttl) - seconds_since(end["lastTransitionTime"])
        if left > 0:
            return left
        metadata = job["metadata"]
        self._store.delete(PLURAL, metadata["name"], metadata["namespace"], propagation="Foreground")
        return None

    def _begin(self, job: Tree) -> None:
        """Note the start, or that the Job is suspended or goes on."""
        status, suspended = job["status"], bool(job["spec"].get("suspend"))
        if suspended:
            if put(status, Condition("Suspended", "True", "JobSuspended", "Job suspended")):
                self._world.tell(job, "Suspended", "Job suspended")
            status.pop("startTime", None)
            return
        if is_true(status, "Suspended"):
            put(status, Condition("Suspended", "False", "JobResumed", "Job resumed"))
            self._world.tell(job, "Resumed", "Job resumed")
        status.setdefault("startTime", now())

    def _count(self, job: Tree) -> None:
        """Count what ended, write the counts down, then let those pods go."""
        status = job["status"]
        vanished = self._vanished.pop(job["metadata"]["uid"], [])
        there = self._pods(job)
        ended = job_pods.newly_ended(there)
        lost = job_pods.Ended(
            [pod for pod in vanished if pod.get("status", {}).get("phase") == "Succeeded"],
            [pod for pod in vanished if pod.get("status", {}).get("phase") != "Succeeded"],
        )
        succeeded, failed = [*ended.succeeded, *lost.succeeded], [*ended.failed, *lost.failed]
        if job["spec"].get("completionMode") == "Indexed":
            done = job_pods.done_with(parsed_ranges(status.get("completedIndexes", "")), succeeded)
            status["completedIndexes"] = ranges(sorted(done))
            _set(status, "succeeded", len(done))
        else:
            _set(status, "succeeded", status.get("succeeded", 0) + len(succeeded))
        _set(status, "failed", status.get("failed", 0) + len(failed))
        self._failures.note(job, succeeded=len(succeeded), failed=len(failed))
        self._write(job)
        job_pods.let_go(self._store, ended.all)

    def _act(self, job: Tree) -> float | None:
        status = job["status"]
        waiting: float | None = None
        failure: ApiFailure | None = None
        state = self._state(job)
        ending = next((row for kind in _ENDINGS if (row := find(status, kind))), None)
        if ending is None:
            decision = decide(state)
            if decision.ending:
                put(status, decision.ending)
                ending = decision.ending.body()
            waiting = self._failures.wait(job) if decision.create else None
            if not waiting:
                failure = self._carry_out(job, decision, counted=ending is not None)
        else:
            self._carry_out(job, Decision(delete=state.pods), counted=True)
        self._sum_up(job, ending)
        if failure is not None:
            raise failure
        waits = [seconds for seconds in (waiting, self._until_deadline(job)) if seconds is not None]
        return min(waits, default=None)

    def _state(self, job: Tree) -> JobState:
        status = job["status"]
        return JobState(
            job=job,
            pods=[pod for pod in self._pods(job) if is_active(pod)],
            succeeded=status.get("succeeded", 0),
            failed=status.get("failed", 0),
            done_indexes=parsed_ranges(status.get("completedIndexes", "")),
            seconds_active=seconds_since(status["startTime"]) if "startTime" in status else 0.0,
        )

    def _carry_out(self, job: Tree, decision: Decision, *, counted: bool) -> ApiFailure | None:
        """Make or delete pods; those deleted while the Job goes on are not counted as failures."""
        if not counted:
            job_pods.let_go(self._store, decision.delete)
        for pod in decision.delete:
            self._world.delete_pod(job, pod)
        try:
            for index in decision.create:
                base = None if index is None else f"{job['metadata']['name']}-{index}-"
                self._world.create_pod(job, job_pods.template_for(job, index), base=base)
        except ApiFailure as failure:
            return failure
        return None

    def _sum_up(self, job: Tree, ending: Tree | None) -> None:
        status, pods = job["status"], self._pods(job)
        if ending:
            # Unscheduled pods are gone the moment they are deleted: they count before the verdict.
            self._count_deleted(job, pods)
            pods = self._pods(job)
        going = sum(is_going(pod) and not is_finished(pod) for pod in pods)
        state = self._state(job)
        _set(status, "active", state.active)
        status["ready"] = state.ready
        status["terminating"] = going
        status["uncountedTerminatedPods"] = {}
        if ending and not going and not state.active:
            self._conclude(job, ending)
        self._write(job)

    def _count_deleted(self, job: Tree, pods: Sequence[Tree]) -> None:
        ended = job_pods.newly_ended(pods)
        if ended.all:
            _set(job["status"], "failed", job["status"].get("failed", 0) + len(ended.failed))
            job_pods.let_go(self._store, ended.all)

    def _conclude(self, job: Tree, ending: Tree) -> None:
        status, verdict = job["status"], _ENDINGS[ending["type"]]
        put(status, Condition(verdict, "True", ending["reason"], ending["message"]))
        if verdict == "Complete":
            status["completionTime"] = now()
            self._world.tell(job, "Completed", "Job completed")
        else:
            self._world.tell(job, ending["reason"], ending["message"], warning=True)

    def _until_deadline(self, job: Tree) -> float | None:
        deadline, start = job["spec"].get("activeDeadlineSeconds"), job["status"].get("startTime")
        if deadline is None or start is None or is_true(job["status"], "Failed"):
            return None
        return max(0.0, float(deadline) - seconds_since(start))

    def _write(self, job: Tree) -> None:
        def change(fresh: Tree) -> None:
            fresh["status"] = job["status"]

        self._store.mutate(PLURAL, job["metadata"]["name"], job["metadata"]["namespace"], change)


def _set(status: Tree, field: str, value: int) -> None:
    if value:
        status[field] = value
    else:
        status.pop(field, None)
