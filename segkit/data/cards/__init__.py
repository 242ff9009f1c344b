"""Dataset cards: a small TOML file that says where a dataset lies and which column means what."""
