"""The pieces of the report that are neither prose nor a figure: a finished table in, a piece of HTML out."""
