"""The emulated nodes: they run Wasm pods for real and refuse what a real node refuses."""
