"""What a shim does inside the process of a container."""
