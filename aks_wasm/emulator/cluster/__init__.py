"""The Kubernetes API behind an emulated cluster: its store, its API server, its controllers."""
