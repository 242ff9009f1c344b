"""A first card for a file nobody has described yet: which column is what, and why."""

from segkit.new_card.draft import draft_card, write_new_card
from segkit.new_card.parts import open_questions

__all__ = ["draft_card", "open_questions", "write_new_card"]
