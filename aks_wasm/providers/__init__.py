"""Where clusters come from. `base` is the protocol; each provider is a folder of its own."""
