"""Cards: one per segment, a short one for the overview and a full one, the persona."""

from html import escape

import pandas as pd

from segkit.reporting.blocks.pieces import FEWER, Piece
from segkit.runtime.privacy import FEWEST_SHOWN


def segment_cards(segments: pd.DataFrame, colours: dict[str, str]) -> Piece:
    """Return one card per segment: name, size beside revenue, what to do, what sets it apart.

    Parameters
    ----------
    segments : DataFrame
        ``segment_id, segment, customers, customer_share, revenue_share, description, action, caution``; shares 0
        to 1, revenue_share null where there is no revenue.
    colours : dict
        Colour of each ``segment_id``, as ``#rrggbb``.
    """
    widest = max(segments["customer_share"].max(), segments["revenue_share"].fillna(0).max())
    cards = [_card(segment, colours[segment.segment_id], widest) for segment in segments.itertuples()]
    text = "; ".join(f"{segment.segment} {segment.customer_share:.0%}" for segment in segments.itertuples())
    return Piece(f"<div class='sk sk-cards'>{''.join(cards)}</div>", text)


def _card(segment, colour: str, widest: float) -> str:
    if segment.customers < FEWEST_SHOWN:
        few = f"<p>{FEWER.capitalize()} customers: nothing is shown of them.</p>"
        return f"<article class='sk-card' style='--c:{colour}'><h3>{escape(segment.segment)}</h3>{few}</article>"
    bars = _bar("customers", segment.customer_share, widest)
    if pd.notna(segment.revenue_share):
        bars += _bar("revenue", segment.revenue_share, widest)
    do = f"<p class='do'><b>Try</b> {escape(segment.action)}</p>" if segment.action else ""
    return (
        f"<article class='sk-card' style='--c:{colour}'><h3>{escape(segment.segment)}</h3><dl>{bars}</dl>{do}"
        f"<p>{escape(segment.description)}</p></article>"
    )


def _bar(label: str, share: float, widest: float) -> str:
    width = max(0.0, 100 * share / widest)
    return (
        f"<dt>{label}</dt><dd class='sk-bar' aria-hidden='true'><i style='width:{width:.1f}%'></i></dd>"
        f"<dd class='n'>{100 * share:.1f} %</dd>"
    )


def persona_cards(
    segments: pd.DataFrame, personas: pd.DataFrame, products: pd.DataFrame | None, colours: dict[str, str]
) -> Piece:
    """Return one card per segment with all that a marketer asks of it: two print on a page, one fits a phone.

    Parameters
    ----------
    segments : DataFrame
        As for `segment_cards`; S0 gets no card.
    personas : DataFrame
        ``segment_id, section, label, text, overall_text, low, high, overall, customers, known_share, differs``. A
        section that no segment has is left out everywhere, and so is, but for what sets them apart, what reads the
        same for all customers or may be the same: whose interval holds their figure.
    products : DataFrame, optional
        ``segment_id, level, item, customers, lift, low, high, more``, the surest first.
    colours : dict
        Colour of each ``segment_id``.
    """
    there = set(personas["section"])
    cards = []
    for segment in segments[(segments["segment_id"] != "S0") & (segments["customers"] >= FEWEST_SHOWN)].itertuples():
        own = personas[personas["segment_id"] == segment.segment_id]
        parts = [_section(title, own[own["section"].isin(names)]) for title, names in _SECTIONS if there & set(names)]
        if products is not None:
            parts.insert(1, _bought(products[(products["segment_id"] == segment.segment_id) & products["more"]]))
        cards.append(_persona(segment, own[own["section"] == "typical"], "".join(parts), colours[segment.segment_id]))
    return Piece(f"<div class='sk sk-personas'>{''.join(cards)}</div>", f"{len(cards)} cards")


_SECTIONS = (
    ("What sets them apart", ("apart",)),
    ("When and how they shop", ("when", "how")),
    ("Who they are", ("who",)),
    ("Campaigns", ("campaigns",)),
)
MOST_LINES = 6  # of a section
MOST_CATEGORIES = 2  # before products
CERTAIN_LIFT = 1.2  # of the lower end of a lift's interval: what is surely that much more is bold


def _persona(segment, typical: pd.DataFrame, parts: str, colour: str) -> str:
    size = f"{100 * segment.customer_share:.0f} % of customers"
    if pd.notna(segment.revenue_share):
        size += f" · {100 * segment.revenue_share:.0f} % of revenue"
    figures = ", ".join(_typical(row) for row in typical.itertuples())
    alike = f" <small>(the middle of {typical['customers'].iloc[0]} who are alike)</small>" if figures else ""
    middle = f"<p class='typical'>A typical one: {figures}{alike}</p>" if figures else ""
    ways = (("Do", segment.action), ("Don't", segment.caution))
    advice = "".join(
        f"<p><b>{word}</b> {escape(_without(word, text))}</p>" for word, text in ways if isinstance(text, str) and text
    )
    return (
        f"<article class='sk-persona' style='--c:{colour}'><header><h3>{escape(segment.segment)}</h3><p>{size}</p>"
        f"</header>{middle}<div class='parts'>{parts}</div><footer>{advice}</footer></article>"
    ).replace(" %", "&nbsp;%")


def _typical(row) -> str:
    """A figure of a typical customer as one would say it: 94 orders."""
    one = "" if row.figure == 1 else "s"
    says = {
        "order_count": f"{{}} order{one}",
        "spend": "{} spent",
        "days_since_last_order": f"last order {{}} day{one} ago",
        "lines_per_order": f"{{}} line{one} per order",
    }.get(row.feature, f"{escape(row.label)} {{}}")
    return says.format(f"<b>{escape(row.text)}</b>")


def _without(word: str, text: str) -> str:
    """A sentence without the word that stands before it: Don't."""
    rest = text.removeprefix(word).lstrip(" ,")
    return rest[:1].upper() + rest[1:]


def _section(title: str, rows: pd.DataFrame) -> str:
    if rows.empty:
        nothing = "Nothing that is certain." if title == _SECTIONS[0][0] else "Known of too few to tell."
        return f"<section><h4>{title}</h4><p>{nothing}</p></section>"
    same = rows["overall"].between(rows["low"], rows["high"]) & (rows["section"] != "apart")
    unlike = rows[(rows["text"] != rows["overall_text"]) & ~same].head(MOST_LINES)
    known = rows["known_share"].max()
    note = f" <small>known of {100 * known:.0f} %</small>" if title == "Who they are" and known < 0.995 else ""
    lines = "".join(
        f"<dt>{escape(row.label)}</dt><dd{'' if row.differs else ' class=like'}>{escape(row.text)}</dd>"
        f"<dd class='all'>all {escape(row.overall_text)}</dd>"
        for row in unlike.itertuples()
    )
    return (
        f"<section><h4>{title}{note}</h4>"
        + (f"<dl>{lines}</dl>" if lines else "<p>No sure difference from all customers.</p>")
        + "</section>"
    )


def _bought(products: pd.DataFrame) -> str:
    """What a segment buys more than all customers: its surest categories, then products."""
    categories = products[products["level"] == "category"].head(MOST_CATEGORIES)
    shown = pd.concat([categories, products[products["level"] == "product"]]).head(MOST_LINES)
    lines = "".join(
        f"<dt>{escape(row.item.capitalize() if row.item.isupper() else row.item)}</dt>"
        f"<dd{'' if row.low >= CERTAIN_LIFT else ' class=like'}>{row.lift:.1f} times</dd>"
        f"<dd class='all'>{row.low:.1f} to {row.high:.1f}</dd>"
        for row in shown.itertuples()
    )
    title = "<h4>What they buy more of <small>in their baskets</small></h4>"
    told = f"<dl>{lines}</dl>" if lines else "<p>Nothing large and certain.</p>"
    return f"<section>{title}{told}</section>"
