"""The operator's page as a node: what it hears, and how it asks the planner for what is clicked."""
