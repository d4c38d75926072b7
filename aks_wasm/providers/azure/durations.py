"""How long AKS takes for what a plan asks of it, in seconds, by the noun a step's name begins with."""

from __future__ import annotations

TYPICAL_SECONDS = {
    "provider": 30.0,
    "feature": 120.0,  # "a few minutes" in the preview's guide of 2022
    "cluster": 222.0,  # 3 min 42 s in westus2, 2023; a busy region takes up to three times that (10 min 28 s, 2026)
    "node-pool": 94.0,  # a WASI pool of three nodes, 2023
    "runtimes": 40.0,
    "workload": 15.0,
}
