"""What would be done, as a graph, and the one place that does it."""
