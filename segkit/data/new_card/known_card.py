"""The card of a known export, and further files of the same shop joined to its orders."""

from dataclasses import dataclass, field

from segkit.data.cards.known_exports import Format
from segkit.data.cards.sections import FileSource, as_sql
from segkit.data.contacts import contact_name
from segkit.data.new_card.card_text import Decision, file_lines, head_lines, toml_list, toml_text
from segkit.data.new_card.guess import Guess, find_dates
from segkit.data.new_card.look import Look
from segkit.data.new_card.order_lines import date_lines, decimal_lines
from segkit.data.new_card.people import placeholder_lines
from segkit.data.new_card.status import meaning
from segkit.data.new_card.synonyms import PRODUCT_NAMES, SYNONYMS, name_score, plain_name
from segkit.runtime.errors import InputError
from segkit.runtime.spelling import quote

MOST_CATEGORIES = 60


@dataclass
class Export:
    """A file as a table of the engine."""

    source: FileSource
    relation: str
    looks: list[Look]
    known: Format | None
    separator: str = ""
    unread: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Return what messages call it."""
        return self.source.name

    def look(self, column: str) -> Look | None:
        """Return what was seen of a column, whatever its case."""
        return next((look for look in self.looks if look.name.strip().lower() == column.lower()), None)


def draft_known(connection, name: str, shown: str, export: Export) -> list:
    """Return the lines of the card of a known export of orders, and what is to be decided in it."""
    known, section = export.known, export.known.section
    connection.execute(f"CREATE OR REPLACE TEMP VIEW rows AS FROM {quote(export.relation)}")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE sample AS FROM {quote(export.relation)} LIMIT 200000")
    lines = head_lines(name, f"Recognised by its header: {known.title} ({known.made}).")
    lines[3] = _currency(connection, export, section)
    lines += ["[orders]", *file_lines(shown, export.source, known.name)]
    roles = {role: export.look(sql) for role, sql in section["columns"].items() if isinstance(sql, str)}
    guess = Guess({role: look for role, look in roles.items() if look is not None})
    if "date_format" not in section:
        find_dates(connection, guess)
        lines += date_lines(guess)
    lines += decimal_lines(guess.roles)
    lines.append(f"# with it come: {', '.join(f'{role} = {_told(sql)}' for role, sql in section['columns'].items())}")
    lines += [_decision(one) for one in known.asked if export.look(one["column"])]
    if who := export.look(str(section["columns"]["customer_id"])):
        number = section["columns"]["order_id"]
        lines += placeholder_lines(connection, who, export.look(number) if isinstance(number, str) else None)
    lines += _category(connection, export, section)
    lines += _status(connection, export, section)
    return lines


def _decision(one: dict) -> Decision:
    return Decision(one["key"], one["question"], tuple((choice["line"], choice["means"]) for choice in one["choices"]))


def _told(sql) -> str:
    return sql if isinstance(sql, str) else "SQL"


def _currency(connection, export: Export, section: dict):
    column = section.get("currency_column")
    look = export.look(column) if column else None
    if look is None:
        return 'currency = ""                   # to be filled in, such as "EUR"; shown beside amounts'
    written = f"upper(trim({quote(look.name)}::VARCHAR))"
    found = connection.execute(
        f"SELECT {written} AS code, count(*) FROM rows WHERE {written} <> '' GROUP BY 1 ORDER BY 2 DESC, 1"
    ).fetchall()
    if len(found) == 1:
        return f"currency = {toml_text(found[0][0])}                # as column {look.name} says"
    asked = f"{look.name} has {len(found)}, which are never summed: lines in others are left out"
    choices = tuple((f"currency = {toml_text(code)}", f"on {lines:,} lines") for code, lines in found[:6])
    return Decision("currency", asked, choices) if choices else 'currency = ""'


def _category(connection, export: Export, section: dict) -> list:
    """Return the question what a product's category is, where the export has none: it makes segments tell more."""
    if "category" in section["columns"] and export.look(_told(section["columns"]["category"])):
        return []
    choices = []
    for column in export.known.categories:
        look = export.look(column)
        if (
            look is not None
            and look.kind == "text"
            and 1 < look.distinct <= MOST_CATEGORIES
            and look.filled_share > 0.5
        ):
            choices.append(
                (f"category = {toml_text(look.name)}", f"{look.distinct} different, such as {look.examples[0]}")
            )
    for column in export.known.skus:
        look = export.look(column)
        if look is None:
            continue
        prefix = as_sql({"prefix_of": look.name})
        found, filled, rows = connection.execute(
            "SELECT count(DISTINCT prefix), count(*) FILTER (prefix <> ''), count(*) "
            f"FROM (SELECT {prefix} AS prefix FROM sample)"
        ).fetchone()
        if 1 < found <= MOST_CATEGORIES and filled > 0.7 * rows:
            line = f"category = {{ prefix_of = {toml_text(look.name)} }}"
            choices.append((line, f"what {look.name} begins with, {found} different"))
    if not choices:
        return []
    choices.append(("category = false", "none"))
    asked = "the export has no category, and segments say more with one"
    return ["[orders.columns]", Decision("category", asked, tuple(choices))]


def _status(connection, export: Export, section: dict) -> list:
    """Return [orders.status] where a file has words that its format doesn't know."""
    status = section.get("status")
    look = export.look(status["column"]) if status else None
    if look is None:
        return []
    listed = {word for key in ("sale", "return", "not_a_sale") for word in status.get(key, ())}
    column = f"coalesce(trim({quote(look.name)}::VARCHAR), '')"
    rows = connection.execute(f"SELECT {column}, count(*) FROM rows GROUP BY 1 ORDER BY 2 DESC, 1").fetchall()
    unknown = [(word, count) for word, count in rows if word.lower() not in {one.lower() for one in listed}]
    told = [f"# {word or '(empty)'} on {count:,} lines: {_meaning(word, status)}" for word, count in rows]
    if not unknown or status.get("others"):
        return ["", f"# Words of {look.name}, which come with the format:", *told]
    lists = {key: list(status.get(key, ())) for key in ("sale", "return", "not_a_sale")}
    open_ = []
    for word, count in unknown:
        means = meaning(word)
        lists[means].append(word) if means in lists else open_.append((word, count))
    lines = ["", "[orders.status]", f"column = {toml_text(look.name)}"]
    lines += [f"{key} = {toml_list(words)}" for key, words in lists.items() if words]
    if open_:
        shown = ", ".join(f"{word or '(empty)'} on {count:,} lines" for word, count in open_)
        choices = (('others = "sale"', "sales"), ('others = "not_a_sale"', "no sales"))
        lines.append(Decision("others", f"what do the other words mean: {shown} (or list them above)", choices))
    return lines


def _meaning(word: str, status: dict) -> str:
    return next(
        (key for key in ("sale", "return", "not_a_sale") if word.lower() in map(str.lower, status.get(key, ()))), "?"
    )


def join_lines(connection, other: Export, main: Export, roles: dict[str, Look], shown: str) -> list[str]:
    """Return the section of a further file of the shop: its products or customers, joined by what both have."""
    found = []
    for role, table in (("product_id", "products"), ("customer_id", "customers")):
        if role in roles:
            key, share = _shared_key(connection, other, main, roles[role])
            found.append((share, table, key))
    share, table, key = max(found, key=lambda one: one[0], default=(0.0, "", None))
    if key is None or share < 0.2:
        raise InputError(
            f"{other.name} has no column whose values are the customers or the products of {main.name}; leave it out, "
            "or name the files of one table by a pattern in quotes"
        )
    known = other.known if other.known and other.known.table == table else None
    lines = ["", f"[{table}]", *file_lines(shown, other.source, known.name if known else "")]
    lines.append(f"[{table}.columns]")
    lines.append(f"{key_of(table)} = {toml_text(key.name)}    # {share:.0%} of those in {main.name} are in it")
    if known:
        others = [role for role in known.section["columns"] if role != "customer_id"]
        return [*lines, f"# with the format come: {', '.join(others)}"]
    if table == "products":
        roles_of = {
            "category": SYNONYMS["category"],
            "brand": ("brand", "marke", "vendor", "marque", "marca"),
            "name": PRODUCT_NAMES,
        }
        taken = {key.name}
        for role, names in roles_of.items():
            best = max((look for look in other.looks if look.name not in taken and name_score(look.name, names)),
                       key=lambda look: name_score(look.name, names), default=None)  # fmt: skip
            if best is not None:
                taken.add(best.name)
                lines.append(f"{role} = {toml_text(best.name)}    # {best}")
        return lines
    for look in other.looks:
        role = plain_name(look.name)
        if look is key or not role or look.filled_share == 0:
            continue
        role = next((one for one in ("email", "phone") if contact_name(look.name) and one in role), role)
        taken = any(line.startswith(f"{role} = ") for line in lines)
        small = look.kind in ("numbers", "yes or no", "dates") or look.distinct <= MOST_CATEGORIES
        if not taken and (role in ("email", "phone") or (small and not contact_name(look.name))):
            lines.append(f"{role} = {toml_text(look.name)}    # {look}")
    return lines


def key_of(table: str) -> str:
    """Return the column by which a table joins to the orders."""
    return {"products": "product_id", "customers": "customer_id"}[table]


def _shared_key(connection, other: Export, main: Export, role: Look) -> tuple[Look | None, float]:
    """Return the column of another file with most of a column's values, and their share."""
    best, most = None, 0.0
    values = f"SELECT DISTINCT lower(trim({quote(role.name)}::VARCHAR)) AS value FROM {quote(main.relation)}"
    for look in other.looks:
        if look.distinct < 2:
            continue
        own = f"SELECT lower(trim({quote(look.name)}::VARCHAR)) FROM {quote(other.relation)}"
        share = connection.execute(
            f"SELECT avg((value IN ({own}))::INTEGER) FROM ({values}) WHERE value <> ''"
        ).fetchone()[0]
        if (share or 0) > most:
            best, most = look, share
    return best, most
