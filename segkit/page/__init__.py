"""The pieces of the report that are neither prose nor a figure: a finished table in, a piece of HTML out.

`pieces` has headings, figures and tables, `cards` the cards of segments. They look the same in JupyterLab and in
``report.html``; `page.css` dresses both.
"""

from segkit.page.cards import persona_cards, segment_cards
from segkit.page.pieces import Piece, answer, key_figures, page_table, title, use_page_style

__all__ = [
    "Piece", "answer", "key_figures", "page_table", "persona_cards", "segment_cards", "title", "use_page_style",
]  # fmt: skip
