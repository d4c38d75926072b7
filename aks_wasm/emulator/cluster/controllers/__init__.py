"""The controllers of an emulated cluster: each one a control loop over the store, all run by one work queue."""

from aks_wasm.emulator.cluster.controllers.plane import Controllers

__all__ = ["Controllers"]
