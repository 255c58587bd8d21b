"""From a query plan to data: compile, run, merge, project."""
