"""How events, results and errors look, one module per medium; stdout is data, stderr is talk."""
