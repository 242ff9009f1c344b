"""Goods that a page never names: health, sex life, belief and politics say too much about those who bought them."""

import re

# Beginnings of words; a card adds its own with `never_named`.
_WORDS = (
    *("medic", "pharm", "analges", "health", "remed", "cough", "antacid", "laxativ", "allerg", "diabet", "insulin"),
    *(
        "hemorrhoid",
        "suppositor",
        "denture",
        "contact lens",
        "soft lens",
        "first aid",
        "bandage",
        "hearing aid",
        "wheelchair",
        "mobility aid",
        "sleep aid",
        "nicotine",
    ),
    *("smoking cess", "weight loss", "slimming", "incontinen", "menstr", "tampon", "feminine", "sanitary"),
    *("pregnan", "fertility", "contracep", "prophyla", "condom", "sex", "erotic", "personal lubric", "adult toy"),
    *("relig", "bible", "quran", "koran", "kosher", "halal", "politic"),
)
_SENSITIVE = re.compile("|".join(rf"\b{word}" for word in _WORDS), re.IGNORECASE)


def may_be_named(goods: str, never_named: tuple[str, ...] = ()) -> bool:
    """Return whether a page may name a product or category.

    Parameters
    ----------
    goods : str
        Its name, or a feature made of it.
    never_named : tuple of str
        Words of the shop's own card: what holds one of them is not named either.

    Examples
    --------
    >>> may_be_named("Menstrual analgesics"), may_be_named("category_health_care_share"), may_be_named("Teapot")
    (False, False, True)
    >>> may_be_named("Wedding rings", ("wedding",))
    False
    """
    told = re.sub(r"[_\W]+", " ", str(goods)).strip()
    return not _SENSITIVE.search(told) and not any(word.casefold() in told.casefold() for word in never_named if word)
