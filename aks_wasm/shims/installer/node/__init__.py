"""The node script, in parts of about one screen each: read in this order, and put together in it."""

from __future__ import annotations

from importlib.resources import files

PARTS = (
    "start",
    "list",
    "containerd",
    "download",
    "binary",
    "configuration",
    "plan",
    "tasks",
    "apply",
    "turn",
    "images",
    "labels",
    "report",
    "verbs",
)


def node_script() -> str:
    """Return the POSIX shell script that works on a node; its head says how it is called."""
    folder = files(__package__)
    return "".join(folder.joinpath(f"{part}.sh").read_text(encoding="utf-8") for part in PARTS)
