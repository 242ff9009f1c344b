"""A first card for a file that nobody has described yet: which column is what, and why."""
