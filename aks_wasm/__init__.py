"""From nothing to WebAssembly workloads answering on Azure Kubernetes Service, and back to nothing."""

__version__ = "0.1.0"
