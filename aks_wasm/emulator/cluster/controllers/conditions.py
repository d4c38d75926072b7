"""Conditions of a status: set, found, taken away, with lastTransitionTime as the real controllers move it."""

from __future__ import annotations

from dataclasses import dataclass

from aks_wasm.emulator.cluster.trees import Tree, now


@dataclass(frozen=True)
class Condition:
    """What a condition is to say."""

    type: str
    status: str
    reason: str = ""
    message: str = ""

    def body(self) -> Tree:
        """Return it as JSON, without what is empty and without times."""
        body = {"type": self.type, "status": self.status}
        if self.reason:
            body["reason"] = self.reason
        if self.message:
            body["message"] = self.message
        return body


def find(status: Tree, type_: str) -> Tree | None:
    """Return the condition of that type, or None."""
    return next((row for row in status.get("conditions") or [] if row["type"] == type_), None)


def is_true(status: Tree, type_: str) -> bool:
    """Tell whether the condition is there and True."""
    row = find(status, type_)
    return row is not None and row.get("status") == "True"


def put(status: Tree, condition: Condition, *, touched: str = "", renew: bool = False) -> bool:
    """Set a condition; tell whether anything but times changed.

    Args:
        status: The object's status, changed in place.
        condition: What to say.
        touched: A field that tells when it was last said (lastUpdateTime, lastProbeTime).
        renew: Renew that field even when the same is said again.
    """
    old = find(status, condition.type)
    body = condition.body()
    same = old is not None and all(old.get(key) == body.get(key) for key in ("status", "reason", "message"))
    if same and not renew:
        return False
    moment = now()
    if touched:
        body[touched] = moment
    stays = old is not None and old.get("status") == condition.status
    body["lastTransitionTime"] = old.get("lastTransitionTime", moment) if old and stays else moment
    rows = status.setdefault("conditions", [])
    if old is None:
        rows.append(body)
    else:
        rows[rows.index(old)] = body
    return not same


def drop(status: Tree, type_: str) -> None:
    """Take the condition of that type away."""
    rows = [row for row in status.get("conditions") or [] if row["type"] != type_]
    if rows:
        status["conditions"] = rows
    else:
        status.pop("conditions", None)
