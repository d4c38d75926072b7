"""The Azure side of the emulator: Resource Manager, its providers, metadata and token endpoints."""
