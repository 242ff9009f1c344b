"""The visual language of every figure: type, ink, colours of segments and families, panels, direct labels."""

import re
import sys
import textwrap
from contextlib import contextmanager
from functools import partial, wraps

import numpy as np

from segkit.runtime import text

INK, QUIET, RULE, PAPER = "#222222", "#666666", "#D9D9D9", "#FFFFFF"
ACCENT, MUTED = "#0072B2", "#BBBBBB"
UNSEGMENTED, UNSEGMENTED_COLOUR = "S0", MUTED

# Okabe & Ito (2008) without yellow and black, which vanish on paper or read as text, then five of Tol's
# muted scheme (2021) and a brown; told apart with the common colour deficiencies, and never without a label
PALETTE = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"),
    *("#882255", "#332288", "#999933", "#DDCC77", "#7A4A2A", "#44AA99"),
)
WIDTH, PHONE = 7.0, 5.0  # inches
_narrow = False  # whether figures are drawn for a phone

_RC = {
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "text.color": INK,
    "text.parse_math": False,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlepad": 8,
    "axes.labelsize": 11,
    "axes.labelcolor": QUIET,
    "axes.edgecolor": RULE,
    "axes.linewidth": 1.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": False,
    "grid.color": "#EBEBEB",
    "grid.linewidth": 0.8,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": QUIET,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 10,
    "ytick.labelsize": 11,
    "lines.linewidth": 2.0,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "figure.facecolor": PAPER,
    "figure.dpi": 110,
    "savefig.dpi": 150,
    "savefig.bbox": None,  # a figure is as large as it says, whatever stands in it
    "figure.constrained_layout.use": True,
}


def use_style():
    """Set matplotlib's defaults to segkit's visual language, for figures of your own; segkit's have it anyway.

    Examples
    --------
    >>> use_style()
    >>> import matplotlib
    >>> matplotlib.rcParams["font.size"]
    11.0
    """
    import matplotlib

    matplotlib.rcParams.update(_RC)


def styled(draw):
    """Make a function that draws do so in segkit's style, with every name shown as it is written.

    A ``$`` or a ``_`` in the name of a product is a letter, never a formula.
    """

    @wraps(draw)
    def drawn(*tables, **options):
        from matplotlib.text import Text

        with _in_style():
            picture = draw(*tables, **options)
            figure = picture.get_figure(root=True)
            for words in figure.findobj(Text):
                words.set_parse_math(False)
            for ax in figure.axes if _narrow else ():
                ax.xaxis.label.set_text(wrapped(ax.get_xlabel(), 60))
        figure.again = partial(drawn, *tables, **options)  # for `for_phones`
        return picture

    return drawn


@contextmanager
def for_phones():
    """For a while, figures are drawn narrower, in half the columns: scaled to a phone they can still be read."""
    global _narrow
    _narrow = True
    try:
        yield
    finally:
        _narrow = False


@contextmanager
def _in_style():
    """The style, for a while; other settings stay as a backend sets them with the first figure."""
    from matplotlib import rcParams

    before = {name: rcParams[name] for name in _RC}
    rcParams.update(_RC)
    try:
        yield
    finally:
        rcParams.update(before)


def nothing(reason, ax=None):
    """Axes that say in a sentence why there is nothing to draw."""
    ax = axes_of(ax, 0.5)
    ax.set_axis_off()
    if len(ax.figure.axes) == 1:
        ax.figure.set_gid("nothing")  # for the report, which writes the sentence instead
    ax.figure.text(0.01, 0.5, reason, va="center", color=QUIET)
    return ax


def segment_colours(segment_ids):
    """A colour for each segment, the same in every figure and, as far as twelve reach, in every month.

    Parameters
    ----------
    segment_ids : iterable of str
        Ids such as ``S2``; their order does not matter. From the thirteenth segment on, colours repeat.

    Returns
    -------
    dict
        Segment id to hex colour; ``S0`` is grey.

    Examples
    --------
    >>> segment_colours(["S2", "S1", "S0"])
    {'S0': '#BBBBBB', 'S1': '#0072B2', 'S2': '#D55E00'}
    """
    ordered = sorted(set(map(str, segment_ids)), key=lambda name: (len(name), name))
    segments = [name for name in ordered if name != UNSEGMENTED]
    places = _places(segments)
    colours = {name: PALETTE[place % len(PALETTE)] for name, place in zip(segments, places, strict=True)}
    return ({UNSEGMENTED: UNSEGMENTED_COLOUR} if UNSEGMENTED in ordered else {}) | colours


def _places(segments):
    """The place of each segment in the palette: by its number, else the next that is free."""
    taken = []
    for order, name in enumerate(segments):
        number = re.fullmatch(r"S(\d+)", name)
        place = (int(number[1]) - 1 if number else order) % len(PALETTE)
        while place in taken and len(taken) < len(PALETTE):
            place = (place + 1) % len(PALETTE)
        taken.append(place)
    return taken


def family_looks(families, present):
    """The title and the colour of each family that is present, in the order in which they are given.

    A family that `families` does not know comes last, under its own name and in a colour that is free.

    Parameters
    ----------
    families : None, dict, DataFrame or iterable
        Name to colour; a table with ``name, title, colour``; or records that have these three, such as ``FAMILIES``.
    present : iterable of str
        Names of families, in the order of a table.

    Returns
    -------
    dict
        Name to (title, colour).

    Examples
    --------
    >>> family_looks({"gmm": "#E69F00", "kmeans": "#0072B2"}, ["kmeans", "meanshift"])
    {'kmeans': ('kmeans', '#0072B2'), 'meanshift': ('meanshift', '#D55E00')}
    """
    if hasattr(families, "itertuples"):
        families = families.rename(columns={"family": "name"}).itertuples()
    if isinstance(families, dict):
        known = {name: (name, colour) for name, colour in families.items()}
    else:
        known = {family.name: (plain(family.title), family.colour) for family in families or ()}
    taken = {colour for _, colour in known.values()}
    free = [colour for colour in PALETTE if colour not in taken] or list(PALETTE)
    present = list(dict.fromkeys(present))
    unknown = [name for name in present if name not in known]
    looks = {name: look for name, look in known.items() if name in present}
    return looks | {name: (plain(name), free[place % len(free)]) for place, name in enumerate(unknown)}


def full_width():
    """Inches of a figure of full width."""
    return PHONE if _narrow else WIDTH


def panels(count, columns, height, width=WIDTH, **options):
    """A figure of `count` panels in `columns`; `height` inches each. Returns the figure and its axes."""
    import matplotlib.pyplot as plt

    columns = min((columns + 1) // 2 if _narrow else columns, max(count, 1))
    width = min(width, full_width()) if _narrow else width
    rows = -(-max(count, 1) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(width, rows * height), squeeze=False, **options)
    _keep_small()
    axes = list(axes.flat)
    for spare in axes[count:]:
        spare.remove()
    return figure, axes[:count]


def _keep_small():
    """In a notebook, keep figures with 256 colours: a third of the bytes, and the eye sees no difference."""
    from matplotlib.figure import Figure

    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    formatters = getattr(getattr(shell, "display_formatter", None), "formatters", {})
    if "image/png" in formatters:  # with each figure: the shell sets its own way at the first
        formatters["image/png"].for_type(Figure, small_png)


def small_png(figure):
    """The figure as PNG, with a palette of its 256 commonest colours."""
    from io import BytesIO

    import matplotlib
    from PIL import Image

    drawn, small = BytesIO(), BytesIO()
    with matplotlib.rc_context({"savefig.bbox": None}):
        figure.savefig(drawn, format="png", dpi=figure.dpi)
    Image.open(drawn).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    return small.getvalue()


def columns_of(axes):
    """In how many columns panels stand."""
    return axes[0].get_subplotspec().get_gridspec().ncols


def axes_of(ax, height, width=WIDTH):
    """The given axes, or new ones."""
    return ax if ax is not None else panels(1, 1, height, width)[1][0]


def percent(share):
    """A share as text for a reader.

    Examples
    --------
    >>> percent(0.254), percent(0.004), percent(0), percent(0.9996)
    ('25\xa0%', '0.4\xa0%', '0\xa0%', '100\xa0%')
    """
    few = 0.0005 <= abs(share) < 0.0095
    return text.percent(share, 1 if few else 0).replace(" ", "\xa0")


def percent_axis(axis):
    """Ticks of a share as percentages."""
    from matplotlib.ticker import PercentFormatter

    axis.set_major_formatter(PercentFormatter(1, symbol="\xa0%"))


def short_number(amount, _=None):
    """A number for a tick: 1,200 stays, 120 k, 1.2 M.

    Examples
    --------
    >>> short_number(0.5), short_number(1200), short_number(12000), short_number(1250000)
    ('0.5', '1,200', '12\xa0k', '1.25\xa0M')
    """
    for size, letter in ((1e9, "bn"), (1e6, "M"), (1e4, "k")):
        if abs(amount) >= size:
            return f"{amount / (1e3 if letter == 'k' else size):.3g}\xa0{letter}"
    return f"{amount:,.0f}" if abs(amount) >= 100 else f"{amount:.3g}"


def darker(colour):
    """A shade of a segment's colour in which text can be read on paper."""
    from matplotlib.colors import to_rgb

    return tuple(0.65 * channel for channel in to_rgb(colour))


def ink_on(colour):
    """What text is read best in on a colour: paper on dark ones, ink on light ones.

    Examples
    --------
    >>> ink_on("#0072B2"), ink_on("#E69F00")
    ('#FFFFFF', '#222222')
    """
    from matplotlib.colors import to_rgb

    light = sum(weight * channel for weight, channel in zip((0.299, 0.587, 0.114), to_rgb(colour), strict=True))
    return INK if light > 0.55 else PAPER


def plain(name):
    """A name on one line; one that begins with ``_`` would be left out of a legend.

    Examples
    --------
    >>> plain("Deal\\nhunters"), plain("_own")
    ('Deal hunters', ' _own')
    """
    name = " ".join(str(name).split())
    return f" {name}" if name.startswith("_") else name


def wrapped(name, width):
    """A name over several lines of at most `width` characters."""
    return "\n".join(textwrap.wrap(str(name), round(0.8 * width) if _narrow else width, break_long_words=False))


def bare(ax, *spines, **ticks):
    """Take away the marks of ticks, and the spines that are named."""
    for side in spines:
        ax.spines[side].set_visible(False)
    ax.tick_params(length=0, **ticks)


def row_axis(ax, names):
    """Rows from the top down, each with its name; returns their places."""
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    return range(len(names))


def label_points(ax, labels, apart=0.085, across=None, outline=False):
    """Write names beside the points they belong to, apart from each other, a thin line to each.

    Parameters
    ----------
    ax : Axes
        Its limits are final.
    labels : list of (text, x, y, colour)
    apart : float
        Least distance between two names, as a share of the height.
    across : float, optional
        How far to the right of its point a name stands, as a share of the width; by default all stand right of the
        axes.
    outline : bool
        Whether names stand over other marks and need a rim of paper.
    """
    from matplotlib.patheffects import withStroke

    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    heights = spread_apart([label[2] for label in labels], apart * abs(high - low))
    for (name, x, y, colour), height in zip(labels, heights, strict=True):
        place = right + 0.03 * (right - left) if across is None else x + across * (right - left)
        line = {"arrowstyle": "-", "color": colour, "lw": 0.6, "alpha": 0.5, "shrinkA": 0}
        rim = [withStroke(linewidth=2, foreground=PAPER)] if outline else None
        ax.annotate(name, (x, y), (place, height), va="center", color=darker(colour), fontsize=10,
                    annotation_clip=False, arrowprops=line, path_effects=rim)  # fmt: skip
    ax.set(xlim=(left, right), ylim=(low, high))


def draw_intervals(ax, lows, highs, places, colours, upright=False, **line):
    """Draw the interval of each figure as a line, flat or upright; those that are missing are left out."""
    lines = ax.vlines if upright else ax.hlines
    return lines(list(places), list(lows), list(highs), colors=list(colours), **{"linewidth": 2} | line)


def spread_apart(positions, gap):
    """Positions moved as little as needed (least squares) so that neighbours are `gap` apart, in the same order.

    Examples
    --------
    >>> [round(place, 2) for place in spread_apart([0.0, 0.1, 5.0], 1.0)]
    [-0.45, 0.55, 5.0]
    """
    if not len(positions):
        return []
    from scipy.optimize import isotonic_regression

    order = np.argsort(positions, kind="stable")
    steps = gap * np.arange(len(order))
    moved = np.empty(len(order))
    moved[order] = isotonic_regression(np.asarray(positions, float)[order] - steps).x + steps
    return moved.tolist()
