"""`python -m aks_wasm` is `aks-wasm`."""

from __future__ import annotations

from aks_wasm.cli.main import main

main()
