"""Every scenario of the contract, by topic."""

from tests.e2e.contract.scenarios import (  # noqa: F401  # they register themselves
    admission,
    applying,
    custom_resources,
    deleting,
    discovery,
    errors,
    installing,
    patching,
    reading,
    rights,
    subresources,
    tables,
    watching,
    writing,
)
from tests.e2e.contract.scenarios.registry import SCENARIOS, Space

__all__ = ["SCENARIOS", "Space"]
