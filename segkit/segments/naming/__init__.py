"""Names, one-sentence descriptions and first suggestions, all from the profile and never from a label number."""
