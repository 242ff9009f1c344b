"""What the chosen segments are: profiles, names, rules, personas."""
