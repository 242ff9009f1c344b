"""From features in natural units to the matrix in which customers are near or far: fitted once, stored, reused."""
