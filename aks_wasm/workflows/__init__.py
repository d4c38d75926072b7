"""One file per use case: observe, plan, then show the plan or run it."""
