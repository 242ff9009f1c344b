"""Every candidate side by side: criteria, separation, stability, forward skill, and which one to take."""
