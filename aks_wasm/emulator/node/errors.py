"""What a shim says when it can't run a container."""

from __future__ import annotations


class ShimError(Exception):
    """The shim can't run this; the message goes to the container's log."""
