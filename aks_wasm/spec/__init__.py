"""The spec file: strict versioned models, loading, defaults, and the checks that need nothing but the file."""
