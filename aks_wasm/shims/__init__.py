"""What we know of runwasi shims: where they come from, what they are called, how they get onto a node."""
