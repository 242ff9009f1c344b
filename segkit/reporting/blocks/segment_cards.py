"""Cards: a short one per segment for the overview, and a full one, the persona; and the table of what to do."""

import re

import pandas as pd

from segkit.plots.style import segment_colours
from segkit.reporting.blocks.block import Block, render, sentence
from segkit.reporting.blocks.page_table import FEWER
from segkit.runtime.privacy import FEWEST_SHOWN
from segkit.runtime.text import percent
from segkit.segments.naming.descriptions import ago, figure
from segkit.targeting.action_list import UNKNOWN_STAKE

FACTS = {"order_count": "orders", "spend": "spend", "days_since_last_order": "last order"}  # on the short card
WHO = "Who they are"
SECTIONS = {  # title on the card: sections of the personas table
    "What sets them apart": ("apart",),
    "When and how they shop": ("when", "how"),
    WHO: ("who",),
    "Campaigns": ("campaigns",),
}
_SPELT = {  # abbreviations of tills
    **{
        "frzn": "frozen",
        "frz": "frozen",
        "pckgd": "packaged",
        "pkgd": "packaged",
        "veg": "vegetables",
        "bev": "drinks",
    },
    **{"choc": "chocolate", "chix": "chicken", "ckn": "chicken", "pnut": "peanut", "sft": "soft", "reg": "regular"},
    **{"gds": "goods", "misc": "miscellaneous", "asst": "assorted"},
}
MOST_LINES = 6  # of a section
MOST_CATEGORIES = 2  # before products
WIDEST_LIFT = 4  # of a lift's interval, its upper end over its lower
CERTAIN_LIFT = 1.2  # of the lower end of a lift's interval: what is surely that much more is bold


def action_table(said: pd.DataFrame, colours: dict[str, str] | None = None) -> Block:
    """Return the table of actions: segment, what to do, whom it reaches, money at stake, whether it can be tested.

    Parameters
    ----------
    said : DataFrame
        As `say_actions` returns it.
    colours : dict, optional
        ``segment_id`` -> ``#rrggbb``; by default those of the figures.

    Examples
    --------
    >>> row = {"segment_id": "S1", "segment": "Deal hunters", "do": "Try smaller discounts.", "count": "245"}
    >>> row |= {"files": "", "stake": "900 USD of discounts", "test": "yes", "needs": "two groups of 97"}
    >>> action_table(pd.DataFrame([row]))
    Deal hunters: Try smaller discounts. 245; 900 USD of discounts; test: yes, two groups of 97
    """
    colours = colours or segment_colours(said["segment_id"])
    rows = [row | {"colour": colours[row["segment_id"]]} for row in said.to_dict("records")]
    if not rows:
        return sentence("No idea of what to try follows from these figures alone.")
    reached, known = any(row["files"] for row in rows), any(row["stake"] != UNKNOWN_STAKE for row in rows)
    lines = [
        f"{row['segment']}: {row['do']} {row['count']}; {row['stake']}; test: {row['test']}, {row['needs']}"
        for row in rows
    ]
    return Block(render("action_table", rows=rows, reached=reached, known=known), "\n".join(lines))


def segment_cards(
    segments: pd.DataFrame,
    profile: pd.DataFrame | None = None,
    currency: str = "",
    colours: dict[str, str] | None = None,
) -> Block:
    """Return a card per segment: name, whether its border is firm, share of customers and of revenue, what it is like.

    Parameters
    ----------
    segments : DataFrame
        ``segment_id, segment, customers, customer_share, revenue_share, description`` and optionally ``border``;
        shares 0 to 1, revenue_share missing where there is no revenue. A segment of fewer than ten customers shows its
        name alone.
    profile : DataFrame, optional
        As `profile_segments` returns it: orders, spend and days since the last order are shown beside those of all
        customers, instead of the description, where it has them.
    currency : str
    colours : dict, optional
        ``segment_id`` -> ``#rrggbb``; by default those of the figures.
    """
    colours = colours or segment_colours(segments["segment_id"])
    widest = max(segments["customer_share"].max(), segments["revenue_share"].fillna(0).max())
    cards = []
    for row in segments.itertuples():
        shares = {"customers": (row.customer_share, f"{row.customers:,}"), "revenue": (row.revenue_share, "")}
        bars = [
            (label, percent(share, 0), count, round(max(0.0, 100 * share / widest), 1))
            for label, (share, count) in shares.items()
            if pd.notna(share)
        ]
        few = FEWER.capitalize() if row.customers < FEWEST_SHOWN else ""
        border = getattr(row, "border", None)
        cards.append(
            {"name": row.segment, "colour": colours[row.segment_id], "few": few, "bars": bars}
            | {
                "facts": [] if profile is None else _facts(profile[profile["segment_id"] == row.segment_id], currency),
                "border": border if isinstance(border, str) else "",
                "description": row.description.partition(". ")[2] or row.description,
            }
        )
    text = "; ".join(f"{row.segment} {row.customer_share:.0%}" for row in segments.itertuples())
    columns = next((count for count in (4, 3, 5) if len(cards) <= count or len(cards) % count != 1), 3)  # none alone
    return Block(render("segment_cards", cards=cards, columns=min(columns, max(len(cards), 2))), text)


def _facts(own: pd.DataFrame, currency: str) -> list[tuple[str, str, str]]:
    """Return orders, spend and days since the last order, each beside that of all customers: medians both."""
    plain = own[(own["level"] == "") & own["centre"].notna()].set_index("feature")
    rows = [plain.loc[name] for name in FACTS if name in plain.index]
    told = []
    for row in rows:
        label, days = FACTS[row.name], row.name == "days_since_last_order"
        centre = ago(row["centre"]) if days else figure(row["centre"], row["kind"], currency)
        told.append((label, centre, figure(row["overall"], row["kind"])))
    return told


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
        As for `segment_cards`, and ``action, caution``. S0 and segments of fewer than ten customers get no card.
    personas : DataFrame
        ``segment_id, section, label, text, overall_text, low, high, overall, customers, known_share, differs``. Left
        out are a line, except in what sets them apart, that reads the same for all customers, or whose interval holds
        the figure of all customers; a section without lines; and a typical customer, who would be a second figure of
        the same kind.
    products : DataFrame, optional
        ``segment_id, level, item, customers, lift, low, high, more``, the surest first.
    colours : dict, optional
        ``segment_id`` -> ``#rrggbb``; by default those of the figures.
    """
    colours = colours or segment_colours(segments["segment_id"])
    cards = []
    for row in segments[(segments["segment_id"] != "S0") & (segments["customers"] >= FEWEST_SHOWN)].itertuples():
        own = personas[personas["segment_id"] == row.segment_id]
        sections = [_section(title, own[own["section"].isin(names)]) for title, names in SECTIONS.items()]
        if products is not None:
            sections.insert(1, _bought(products[(products["segment_id"] == row.segment_id) & products["more"]]))
        size = f"{percent(row.customer_share, 0)} of customers"
        if pd.notna(row.revenue_share):
            size = f"{percent(row.customer_share, 0)} of customers, {percent(row.revenue_share, 0)} of revenue"
        advice = {"Do": row.action, "Don't": row.caution}
        cards.append(
            {"name": row.segment, "colour": colours[row.segment_id], "size": size}
            | {"sections": [section for section in sections if section["rows"]]}
            | {"advice": [(word, _without(word, told)) for word, told in advice.items() if pd.notna(told) and told]}
        )
    return Block(render("persona_cards", cards=cards), _as_text(cards))


def _as_text(cards: list[dict]) -> str:
    lines = []
    for card in cards:
        lines.append(f"{card['name']}: {card['size']}")
        for section in card["sections"]:
            told = "; ".join(f"{row['label']} {row['text']} ({row['beside']})" for row in section["rows"])
            lines.append(f"  {section['title']}: {told}")
    return "\n".join(lines)


def _without(word: str, text: str) -> str:
    """Return a sentence without the word that stands before it on the card: Don't."""
    rest = text.removeprefix(word).lstrip(" ,")
    return rest[:1].upper() + rest[1:]


def _section(title: str, rows: pd.DataFrame) -> dict:
    same = rows["overall"].between(rows["low"], rows["high"]) & (rows["section"] != "apart")
    unlike = rows[(rows["text"] != rows["overall_text"]) & ~same].head(MOST_LINES)
    known = rows["known_share"].max()
    note = f"known of {100 * known:.0f} %" if title == WHO and known < 0.995 else ""
    lines = [
        {"label": row.label, "text": row.text, "sure": row.differs, "beside": f"all {row.overall_text}"}
        for row in unlike.itertuples()
    ]
    return {"title": title, "note": note, "rows": lines}


def goods_as_read(item: str) -> str:
    """Return a product or category as one reads it: not in capitals, no code, no spaces doubled, abbreviations spelt.

    Examples
    --------
    >>> goods_as_read("FRZN BOXED VEGETABLES- VALUE A"), goods_as_read("CEREAL - COLD"), goods_as_read("4-Port USB hub")
    ('Frozen boxed vegetables, value a', 'Cereal, cold', '4-Port USB hub')
    """
    told = re.sub(r"\s*(-\s|\s-|\s/\s|;)\s*", ", ", " ".join(item.split())).strip(" ,-/")
    if not item.isupper():
        return told
    return re.sub(r"[A-Z]+", lambda word: _SPELT.get(word[0].lower(), word[0]), told).capitalize()


def _bought(products: pd.DataFrame) -> dict:
    """Return what a segment buys more of than all customers: its surest categories, then products."""
    products = products[products["high"] <= WIDEST_LIFT * products["low"]]  # the others rest on few customers
    categories = products[products["level"] == "category"].head(MOST_CATEGORIES)
    shown = pd.concat([categories, products[products["level"] == "product"]]).head(MOST_LINES)
    lines = [
        {"label": goods_as_read(row.item), "text": f"{row.lift:.1f} times"}
        | {"sure": row.low >= CERTAIN_LIFT, "beside": f"{row.low:.1f} to {row.high:.1f}"}
        for row in shown.itertuples()
    ]
    return {"title": "What they buy more of", "note": "in their baskets", "rows": lines}
