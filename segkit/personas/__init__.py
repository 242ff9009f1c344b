"""A persona per segment: what sets it apart, a typical customer, what, when and how they buy, who they are.

`products` has what a segment buys more than others, `typical` the middle of the ten who come nearest to its medians,
`sections` picks the figures of a card and puts them in words.
"""

from segkit.personas.products import bought_more
from segkit.personas.sections import segment_personas
from segkit.personas.typical import typical_customers

__all__ = ["bought_more", "segment_personas", "typical_customers"]
