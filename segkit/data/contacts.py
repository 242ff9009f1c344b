"""Which columns hold a person's contact data, by name and by content; they are never features."""

import re

from segkit.runtime.spelling import quote

# The whole name must say it: `email` is contact data, `email_open_share` is behaviour.
_OWNER = r"(?:(?:customer|client|user|contact|billing|shipping|delivery|default|primary|home|work|kunden?|cliente)_)*"
_CONTACT = (
    r"(?:e_?mail|mail|(?:mobile_|tele)?phone|fax|telefon|handy(?:nummer)?|telefono|movil|"
    r"(?:first_?|last_?|full_?|sur|given_?|family_?|vor|nach)?name|prenom|nom|nombre|apellidos?|"
    r"(?:street_?)?address|street|adresse|strasse|rue|direccion|calle)"
)
_NAMES = re.compile(_OWNER + _CONTACT + r"(?:_?(?:address|adresse|number|no|nr|line|\d+))*")
_EMAIL = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"
_PHONE = r"^(\+|00)?[\d\s()./-]{9,20}$"


def contact_columns(connection, table: str, columns: list[str]) -> dict[str, str]:
    """Return the columns of `table` that hold e-mail, phone, names or addresses, each with the reason.

    `consent` is listed too: it says whether a customer may be written to, not what the customer is like.
    """
    left_out = {}
    for column in columns:
        if contact_name(column):
            left_out[column] = "contact data, by its name"
        elif column.lower() == "consent":
            left_out[column] = "says who may be written to"
        elif (found := _contact_content(connection, table, column)) is not None:
            left_out[column] = f"contact data: its values look like {found}"
    return left_out


def contact_name(column: str) -> bool:
    """Return whether a column's name says contact data.

    Examples
    --------
    >>> [contact_name(name) for name in ("E-Mail", "Phone 2", "Customer Name", "income", "email_open_share")]
    [True, True, True, False, False]
    """
    words = re.sub(r"([a-z])([A-Z])", r"\1_\2", column)
    return bool(_NAMES.fullmatch(re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")))


def _contact_content(connection, table: str, column: str) -> str | None:
    written = f"trim({quote(column)}::VARCHAR)"
    if connection.execute(f"DESCRIBE SELECT {quote(column)} FROM {table}").fetchone()[1] != "VARCHAR":
        return None
    filled, emails, phones = connection.execute(
        f"SELECT count(*), count(*) FILTER (regexp_matches({written}, ?)), "
        f"count(*) FILTER (regexp_matches({written}, ?) AND length(regexp_replace({written}, '[^0-9]', '', 'g')) >= 9) "
        f"FROM (SELECT {quote(column)} FROM {table} WHERE {quote(column)} IS NOT NULL LIMIT 1000)",
        [_EMAIL, _PHONE],
    ).fetchone()
    if filled and emails > filled / 2:
        return "e-mail addresses"
    return "phone numbers" if filled and phones > filled / 2 else None
