"""The spec file: strict versioned models, loading, and the checks that need nothing but the file."""
