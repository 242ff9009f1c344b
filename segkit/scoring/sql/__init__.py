"""The frozen model as SQL."""
