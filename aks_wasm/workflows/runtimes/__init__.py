"""`runtime install|list|verify|upgrade|remove`: shims on the nodes of our cluster, or of any."""
