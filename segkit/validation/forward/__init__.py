"""What segments say about the weeks after they were made, beside rules and beside what can be known at all."""
