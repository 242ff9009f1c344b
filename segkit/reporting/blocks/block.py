"""What a block is, and the plain ones: headings, sentences, key figures, figures, folds."""

import base64
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import StringIO

FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


@dataclass(frozen=True, repr=False)
class Block:
    """A piece of a page: Jupyter shows its HTML or its Markdown, a terminal its text.

    Its output carries ``{"segkit": "block"}`` in its metadata: ``report.html`` takes only such outputs, so that a table
    left in a notebook is never published.
    """

    html: str
    text: str = ""
    markdown: str = ""
    kind: str = "block"

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        shown = {"text/markdown": self.markdown} if self.markdown else {"text/html": self.html}
        return shown | {"text/plain": self.text}, {"segkit": self.kind}

    def __repr__(self) -> str:
        return self.text


@cache
def _templates():
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("segkit.reporting", "templates")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def render(template: str, **parts) -> str:
    """Return a template of ``reporting/templates`` with its parts filled in; text of the data is escaped.

    Examples
    --------
    >>> render("title", dataset="Tea & more", period="2017-09")
    '<h1>Customer segments · Tea &amp; more · 2017-09</h1>'
    """
    html = _templates().get_template(f"{template}.html.j2").render(**parts)
    return html.replace(" %", "\xa0%").strip()  # a figure and its sign stay on one line


def style_sheet() -> str:
    """Return the style sheet of the report."""
    return files("segkit.reporting").joinpath("page.css").read_text(encoding="utf-8")


def page_style() -> Block:
    """Return the style sheet as a block, once per notebook, so that blocks look as they will in the report."""
    return Block(f"<style>{style_sheet()}</style>", "the style of the page", kind="style")


def title(dataset: str, period: str) -> Block:
    """Return the heading of the page: which dataset, and which month.

    Examples
    --------
    >>> title("Complete Journey", "2017-09")
    Customer segments · Complete Journey · 2017-09
    """
    return Block(render("title", dataset=dataset, period=period), " · ".join(["Customer segments", dataset, period]))


def answer(sentence: str, more: str = "", warnings: tuple[str, ...] = ()) -> Block:
    """Return what a reader sees first: one sentence, a few more, and warnings above them.

    Parameters
    ----------
    sentence : str
        Set in large type; may be empty.
    more : str
        Each line is a paragraph.
    warnings : collection of str
        What a reader must know before trusting the rest.

    Examples
    --------
    >>> answer("Three segments.", "They are stable.", ["September is incomplete."])
    September is incomplete. Three segments. They are stable.
    """
    lines = [line for line in more.splitlines() if line]
    text = " ".join([*warnings, *filter(None, [sentence]), *lines])
    return Block(render("answer", sentence=sentence, lines=lines, warnings=list(warnings)), text)


def key_figures(figures: dict[str, str]) -> Block:
    """Return a row of figures, each with its label.

    Examples
    --------
    >>> key_figures({"customers": "2,446", "orders": "155,848"})
    2,446 customers, 155,848 orders
    """
    text = ", ".join(f"{figure} {label}" for label, figure in figures.items())
    return Block(render("key_figures", figures=figures), text)


def sentence(*texts: str | None) -> Block:
    """Return sentences as Markdown, a paragraph for each text and each line of it; empty ones are left out.

    The texts are plain: a ``*``, ``_``, ``<`` or ``$`` in the name of a product is shown as it is.

    Examples
    --------
    >>> sentence("Two segments.", None, "Loyal_1 pays 5 $.")
    Two segments.
    Loyal_1 pays 5 $.
    >>> print(sentence("Loyal_1 pays 5 $.").markdown)
    Loyal\\_1 pays 5 <span>&#36;</span>.
    """
    lines = [line.strip() for text in texts if text for line in str(text).splitlines() if line.strip()]
    markdown = "\n\n".join(_as_markdown(line) for line in lines)
    return Block(render("sentence", lines=lines), "\n".join(lines), markdown)


def _as_markdown(text: str) -> str:
    """Return plain text as Markdown that shows the same characters."""
    text = re.sub(r"([\\`*_\[\]~|#])", r"\\\1", text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))
    text = re.sub(r"^(\d+)([.)])|^([-+=])", lambda found: f"{found[1] or ''}\\{found[2] or found[3]}", text)
    return text.replace("$", "<span>&#36;</span>")  # two of them would make a formula of what stands between


def fold(title: str, *blocks) -> Block:
    """Return blocks, or plain sentences, behind a title that opens them on a click.

    Examples
    --------
    >>> fold("How sure is this?", "Each segment comes back.")
    How sure is this?
    Each segment comes back.
    """
    shown = [block if hasattr(block, "html") else sentence(block) for block in blocks]
    text = "\n".join([title, *filter(None, (block.text for block in shown))])
    return Block(render("fold", title=title, blocks=shown), text)


def shown_in(notebook: str, section: str = "") -> Block:
    """Return a link to where a notebook of the run shows the working.

    Examples
    --------
    >>> shown_in("04_name", "Do they come back?")
    The working: notebook 04, Do they come back?
    """
    text = f"The working: notebook {notebook[:2]}" + (f", {section}" if section else "")
    return Block(render("shown_in", notebook=notebook, section=section), text)


def figure_block(picture, alt: str) -> Block:
    """Return a figure of fixed size as a vector image that draws in the type of the page, and close it.

    A figure of `segkit.plots` is drawn a second time, narrower, for phones. The same figure gives the same bytes. One
    that only says why there is nothing to draw becomes that sentence.

    Parameters
    ----------
    picture : Axes, Figure or None
        As the functions of `segkit.plots` return it; None gives an empty block.
    alt : str
        What the figure shows, for those who can't see it.
    """
    if picture is None:
        return Block("")
    import matplotlib.pyplot as plt

    figure = picture if hasattr(picture, "savefig") else picture.get_figure(root=True)
    plt.close(figure)
    if figure.get_gid() == "nothing":
        return sentence(figure.texts[0].get_text())
    images = [_as_image(figure)]
    if again := getattr(figure, "again", None):  # one that segkit drew
        from segkit.plots.style import for_phones

        with for_phones():
            narrow = again()
        narrow = narrow.get_figure(root=True)
        plt.close(narrow)
        images.append(_as_image(narrow))
    return Block(render("figure", images=images, alt=alt), alt)


def _as_image(figure) -> dict:
    width, height = (round(96 * inches) for inches in figure.get_size_inches())
    return {"svg": base64.b64encode(_as_svg(figure).encode()).decode(), "width": width, "height": height}


def _as_svg(figure) -> str:
    import matplotlib

    drawn = StringIO()
    fixed = {"svg.fonttype": "none", "svg.hashsalt": "segkit", "savefig.bbox": None}
    with matplotlib.rc_context(fixed):
        figure.savefig(drawn, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    svg = re.sub(r"'DejaVu Sans'(, [^;\"]*)?", FONTS, drawn.getvalue())
    return re.sub(r"\d+\.\d{3,}", lambda found: f"{float(found[0]):.2f}", svg)  # a hundredth of a point is enough
