"""E-mail addresses and phone numbers as advertising platforms match them."""

import hashlib
import re

_EMAIL = re.compile(r"[a-z0-9][a-z0-9.!#$%&'*+/=?^_`{|}~-]*@[a-z0-9][a-z0-9.-]*\.[a-z]{2,}")
_GOOGLE = ("gmail.com", "googlemail.com")


def normalise_email(written: object) -> str | None:
    """Return an address trimmed and in lower case; None where the text is no address.

    An address has to begin with a letter or a digit, because a spreadsheet could run others as a formula. Letters
    before the @ have to be ASCII, because Mailchimp refuses others.

    Examples
    --------
    >>> normalise_email("  Jane.Doe@Example.COM "), normalise_email("=1+1@example.com"), normalise_email("none")
    ('jane.doe@example.com', None, None)
    """
    text = str(written).strip().lower()
    return text if _EMAIL.fullmatch(text) else None


def normalise_phone(written: object) -> str | None:
    """Return a number as E.164, ``+`` and up to fifteen digits; None where it has no country code.

    Examples
    --------
    >>> normalise_phone("0049 (0) 30 / 123-456"), normalise_phone("+1 212-565-0000"), normalise_phone("030 123456")
    ('+4930123456', '+12125650000', None)
    """
    text = re.sub(r"\(0\)", "", str(written).strip())
    if not re.match(r"(\+|00)\s*[1-9]", text) or re.search(r"[^\d\s()./+-]", text):
        return None
    digits = re.sub(r"\D", "", text).removeprefix("00")
    return f"+{digits}" if 8 <= len(digits) <= 15 else None


def google_email(address: str) -> str:
    """Return the address as Google compares it: without the dots that Gmail ignores, and what follows a plus there.

    Examples
    --------
    >>> google_email("jane.doe+shop@gmail.com"), google_email("jane.doe@example.com")
    ('janedoe@gmail.com', 'jane.doe@example.com')
    """
    name, _, domain = address.partition("@")
    return f"{name.split('+')[0].replace('.', '')}@{domain}" if domain in _GOOGLE else address


def inbox(address: str) -> str:
    """Return one spelling of an address for all that reach the same inbox: Gmail has several of each.

    Examples
    --------
    >>> inbox("Jane.Doe+shop@googlemail.com".lower()), inbox("jane.doe@example.com")
    ('janedoe@gmail.com', 'jane.doe@example.com')
    """
    name, _, domain = google_email(address).partition("@")
    return f"{name}@{_GOOGLE[0]}" if domain in _GOOGLE else address


def sha256(text: str) -> str:
    """Return the SHA-256 of a text, as 64 hexadecimal digits.

    Examples
    --------
    >>> sha256("test@example.com")[:16]
    '973dfe463ec85785'
    """
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
