"""Assign customers by the million from Arrow batches."""
