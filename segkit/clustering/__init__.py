"""Families of clustering methods, each ending in a frozen rule that puts any customer into a segment."""
