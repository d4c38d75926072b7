"""Local clusters by kind: runs kind and the container engine; shims reach the nodes without a privileged pod."""
