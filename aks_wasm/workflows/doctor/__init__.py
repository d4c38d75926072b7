"""`doctor`: reads a cluster, or this machine, and names the exact cause of what does not work with its one command.

`gather` reads, `view` answers questions about what was read, `causes` are pure rules over it.
"""
