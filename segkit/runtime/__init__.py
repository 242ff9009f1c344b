"""What every room needs: errors, cache, processes, memory, progress, privacy, text, and what every table holds."""
