"""What the bench is built from; a change rebuilds what depends on it."""

from __future__ import annotations

KIND = "v0.33.0"
KUBERNETES = "v1.34.4"  # the newest minor version whose kubelet still runs on cgroup v1
ETCD = "v3.6.5"  # the one kubeadm of KUBERNETES names; the images recipe checks that
COREDNS = "v1.12.1"  # likewise
CONTAINERD = "v2.3.4"  # for the variants containerd2 and aks2404
CONTAINERD_1_7 = "v1.7.32"  # for tests on single nodes, as the next one
CONTAINERD_2_2 = "v2.2.4"
CRI_API = "v0.34.4"  # of KUBERNETES
NETLINK = "v1.3.1"  # github.com/vishvananda/netlink, for the nodes' routes
DEBIAN = "bookworm"  # the node's root file system; its containerd is 1.6
COMPONENTIZE_PY = "0.25.1"  # makes the wasi:http component out of Python
