"""The cluster's own API; the only place that imports the kubernetes package."""
