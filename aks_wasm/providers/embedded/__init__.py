"""The embedded engine: the emulator's own cluster without the Resource Manager side; no container engine needed."""
