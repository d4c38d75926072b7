"""An AKS to rehearse against: Resource Manager, clusters and nodes on loopback, reached by URL only."""
