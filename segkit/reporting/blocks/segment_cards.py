"""Cards: a short one per segment for the overview, and a full one, the persona."""

import pandas as pd

from segkit.plots.style import segment_colours
from segkit.reporting.blocks.block import Block, render
from segkit.reporting.blocks.page_table import FEWER
from segkit.runtime.privacy import FEWEST_SHOWN

APART, WHO = "What sets them apart", "Who they are"
SECTIONS = {  # title on the card: sections of the personas table
    APART: ("apart",),
    "When and how they shop": ("when", "how"),
    WHO: ("who",),
    "Campaigns": ("campaigns",),
}
MOST_LINES = 6  # of a section
MOST_CATEGORIES = 2  # before products
CERTAIN_LIFT = 1.2  # of the lower end of a lift's interval: what is surely that much more is bold
_TYPICAL = {  # how a figure of a typical customer is said, one and several
    "order_count": ("{} order", "{} orders"),
    "spend": ("{} spent",) * 2,
    "days_since_last_order": ("last order {} day ago", "last order {} days ago"),
    "lines_per_order": ("{} line per order", "{} lines per order"),
}


def segment_cards(segments: pd.DataFrame, colours: dict[str, str] | None = None) -> Block:
    """Return a card per segment: name, share of customers and of revenue, what to try, what it is like.

    Parameters
    ----------
    segments : DataFrame
        ``segment_id, segment, customers, customer_share, revenue_share, description, action``; shares 0 to 1,
        revenue_share missing where there is no revenue. A segment of fewer than ten customers shows its name alone.
    colours : dict, optional
        ``segment_id`` -> ``#rrggbb``; by default those of the figures.
    """
    colours = colours or segment_colours(segments["segment_id"])
    widest = max(segments["customer_share"].max(), segments["revenue_share"].fillna(0).max())
    cards = []
    for row in segments.itertuples():
        shares = {"customers": row.customer_share, "revenue": row.revenue_share}
        bars = [
            (label, f"{100 * share:.1f} %", round(max(0.0, 100 * share / widest), 1))
            for label, share in shares.items()
            if pd.notna(share)
        ]
        few = FEWER.capitalize() if row.customers < FEWEST_SHOWN else ""
        action = row.action if isinstance(row.action, str) else ""
        cards.append(
            {"name": row.segment, "colour": colours[row.segment_id], "few": few, "bars": bars, "action": action}
            | {"description": row.description}
        )
    text = "; ".join(f"{row.segment} {row.customer_share:.0%}" for row in segments.itertuples())
    return Block(render("segment_cards", cards=cards), text)


def persona_cards(
    segments: pd.DataFrame,
    personas: pd.DataFrame,
    products: pd.DataFrame | None = None,
    colours: dict[str, str] | None = None,
) -> Block:
    """Return a card per segment with all that a marketer asks about it.

    Parameters
    ----------
    segments : DataFrame
        As for `segment_cards`, and ``caution``. S0 and segments of fewer than ten customers get no card.
    personas : DataFrame
        ``segment_id, section, label, text, overall_text, low, high, overall, customers, known_share, differs``. A
        section that no segment has is left out of all cards. So is a line, except in what sets them apart, that reads
        the same for all customers, or whose interval holds the figure of all customers.
    products : DataFrame, optional
        ``segment_id, level, item, customers, lift, low, high, more``, the surest first.
    colours : dict, optional
        ``segment_id`` -> ``#rrggbb``; by default those of the figures.
    """
    colours = colours or segment_colours(segments["segment_id"])
    there = {title: names for title, names in SECTIONS.items() if set(names) & set(personas["section"])}
    cards = []
    for row in segments[(segments["segment_id"] != "S0") & (segments["customers"] >= FEWEST_SHOWN)].itertuples():
        own = personas[personas["segment_id"] == row.segment_id]
        sections = [_section(title, own[own["section"].isin(names)]) for title, names in there.items()]
        if products is not None:
            sections.insert(1, _bought(products[(products["segment_id"] == row.segment_id) & products["more"]]))
        typical = own[own["section"] == "typical"]
        size = f"{100 * row.customer_share:.0f} % of customers"
        if pd.notna(row.revenue_share):
            size += f" · {100 * row.revenue_share:.0f} % of revenue"
        advice = {"Do": row.action, "Don't": row.caution}
        cards.append(
            {"name": row.segment, "colour": colours[row.segment_id], "size": size, "sections": sections}
            | {"typical": [_typical(figure) for figure in typical.itertuples()]}
            | {"alike": typical["customers"].iloc[0] if len(typical) else 0}
            | {"advice": [(word, _without(word, told)) for word, told in advice.items() if pd.notna(told) and told]}
        )
    return Block(render("persona_cards", cards=cards), _as_text(cards))


def _as_text(cards: list[dict]) -> str:
    lines = []
    for card in cards:
        lines.append(f"{card['name']}: {card['size']}")
        for section in card["sections"]:
            told = "; ".join(f"{row['label']} {row['text']} ({row['beside']})" for row in section["rows"])
            lines.append(f"  {section['title']}: {told or section['nothing']}")
    return "\n".join(lines)


def _typical(row) -> tuple[str, str, str]:
    """Return a figure of a typical customer as one would say it: what stands before it, the figure, what follows."""
    one, several = _TYPICAL.get(row.feature, (f"{row.label} {{}}",) * 2)
    before, after = (one if row.figure == 1 else several).split("{}")
    return before, row.text, after


def _without(word: str, text: str) -> str:
    """Return a sentence without the word that stands before it on the card: Don't."""
    rest = text.removeprefix(word).lstrip(" ,")
    return rest[:1].upper() + rest[1:]


def _section(title: str, rows: pd.DataFrame) -> dict:
    same = rows["overall"].between(rows["low"], rows["high"]) & (rows["section"] != "apart")
    unlike = rows[(rows["text"] != rows["overall_text"]) & ~same].head(MOST_LINES)
    nothing = "No sure difference from all customers."
    if rows.empty:
        nothing = "Nothing that is certain." if title == APART else "Known of too few to tell."
    known = rows["known_share"].max()
    note = f"known of {100 * known:.0f} %" if title == WHO and known < 0.995 else ""
    lines = [
        {"label": row.label, "text": row.text, "sure": row.differs, "beside": f"all {row.overall_text}"}
        for row in unlike.itertuples()
    ]
    return {"title": title, "note": note, "nothing": nothing, "rows": lines}


def _bought(products: pd.DataFrame) -> dict:
    """Return what a segment buys more of than all customers: its surest categories, then products."""
    categories = products[products["level"] == "category"].head(MOST_CATEGORIES)
    shown = pd.concat([categories, products[products["level"] == "product"]]).head(MOST_LINES)
    lines = [
        {"label": row.item.capitalize() if row.item.isupper() else row.item, "text": f"{row.lift:.1f} times"}
        | {"sure": row.low >= CERTAIN_LIFT, "beside": f"{row.low:.1f} to {row.high:.1f}"}
        for row in shown.itertuples()
    ]
    told = {"title": "What they buy more of", "note": "in their baskets", "nothing": "Nothing large and certain."}
    return told | {"rows": lines}
