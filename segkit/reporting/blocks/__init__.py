"""The blocks of the report: finished tables and sentences in, pieces of a page out, each made by a template."""

from segkit.reporting.blocks.block import (
    Block,
    answer,
    figure_block,
    fold,
    key_figures,
    page_style,
    sentence,
    shown_in,
    title,
)
from segkit.reporting.blocks.page_table import page_table
from segkit.reporting.blocks.segment_cards import action_table, persona_cards, segment_cards

__all__ = [
    "Block",
    "action_table",
    "answer",
    "figure_block",
    "fold",
    "key_figures",
    "page_style",
    "page_table",
    "persona_cards",
    "segment_cards",
    "sentence",
    "shown_in",
    "title",
]
