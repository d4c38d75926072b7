"""The command line: each command parses, builds, calls and shows. Nothing heavy is imported at module level."""
