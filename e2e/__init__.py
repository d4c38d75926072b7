"""A bench of real Kubernetes clusters, built on this machine from package registries alone; see README.md.

Not part of the product: nothing in `aks_wasm` imports it, it imports nothing of `aks_wasm`.
"""
