"""Two months side by side: which segment is which, who moved, what drifted, what to expect, and what to do."""
