"""Looking at WebAssembly modules and wrapping them into images."""
