"""Who is handed over, and how many are not for which reason."""

import pandas as pd

from segkit.clustering.segmentation import LEFT_OUT
from segkit.targeting.handover.addresses import normalise_email, normalise_phone
from segkit.targeting.handover.platforms import Platform

_YES = ("true", "t", "yes", "y", "1", "1.0", "granted", "subscribed", "opt-in", "opted in")
_YES += ("ja", "j", "oui", "sí", "si")
HANDED = "handed over"
_NORMALISE = {"email": normalise_email, "phone": normalise_phone}


def read_contacts(orders) -> pd.DataFrame | None:
    """Return those of ``email, phone, consent`` that the shop keeps, by customer_id; None where it has no addresses."""
    columns = orders.columns.get("contacts", [])
    if not {"email", "phone"} & set(columns):
        return None
    selected = ", ".join(f'CAST("{name}" AS VARCHAR) AS "{name}"' for name in columns)
    rows = orders.connection.execute(f"SELECT CAST(customer_id AS VARCHAR) AS customer_id, {selected} FROM contacts")
    return rows.df().drop_duplicates("customer_id").set_index("customer_id")


def reachable_customers(contacts: pd.DataFrame, customers: pd.Index) -> pd.Series:
    """Return who can be written to: consent, where the shop keeps it, and an e-mail address or a phone number.

    Returns
    -------
    Series of bool
        Index `customers`; no address leaves this function.

    Examples
    --------
    >>> contacts = pd.DataFrame({"email": ["a@x.org", "b@x.org"], "consent": ["yes", "no"]}, index=["a", "b"])
    >>> reachable_customers(contacts, pd.Index(["a", "b", "c"])).to_dict()
    {'a': True, 'b': False, 'c': False}
    """
    own = contacts.reindex(customers.astype("str")).set_axis(customers)
    return _consents(own) & (_normalised(own, "email").notna() | _normalised(own, "phone").notna())


def audience(
    assignments: pd.DataFrame, contacts: pd.DataFrame, platform: Platform, *, floor: int, min_confidence: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the customers whom a platform gets, and how many of each segment it gets or doesn't, by reason.

    Parameters
    ----------
    assignments : DataFrame
        ``customer_id, segment_id, segment, confidence``.
    contacts : DataFrame
        Index customer_id; those of ``email, phone, consent`` that the shop has.
    platform : Platform
    floor : int
        Segments of fewer customers are not handed over: their members could be told.
    min_confidence : float
        Customers assigned with less are held out; unknown confidence counts as 0 where this is above 0.

    Returns
    -------
    people : DataFrame
        ``customer_id, segment_id, segment, email, phone``, sorted by customer_id; nobody and no address twice.
    counts : DataFrame
        ``segment_id, segment, reason, customers``; every customer once.

    Examples
    --------
    >>> from segkit.targeting.handover.platforms import PLATFORMS
    >>> assigned = pd.DataFrame({"customer_id": list("abc"), "segment_id": "S1", "segment": "Loyal", "confidence": 1})
    >>> contacts = pd.DataFrame({"email": ["A@x.org", "b@x.org", None], "consent": [1, 0, 1]}, index=list("abc"))
    >>> people, counts = audience(assigned, contacts, PLATFORMS["klaviyo"], floor=1, min_confidence=0)
    >>> people["email"].to_list()
    ['a@x.org']
    >>> counts[["reason", "customers"]].to_dict("split")["data"]
    [['handed over', 1], ['without an address', 1], ['without consent', 1]]
    """
    people = assignments.astype({"customer_id": "str"}).sort_values("customer_id", ignore_index=True)
    own = contacts.reindex(people["customer_id"])
    for column in _NORMALISE:
        people[column] = _normalised(own, column).to_numpy()
    reached = people["email"].notna() | (people["phone"].notna() & platform.by_phone)
    sizes = people["segment_id"].map(people["segment_id"].value_counts())
    same = people["email"].notna() & people["email"].duplicated()
    same |= people["email"].isna() & people["phone"].notna() & people["phone"].duplicated()
    reasons = {
        "in no segment": people["segment_id"] == LEFT_OUT,
        f"segment smaller than {floor}": sizes < floor,
        f"confidence below {min_confidence:g}": people["confidence"].fillna(0) < min_confidence,
        "without consent": ~_consents(own),
        "without an address": ~reached,
        "same address as another customer": same,
    }
    people["reason"] = HANDED
    for reason, holds in reversed(reasons.items()):  # the first that holds is said
        people.loc[holds.to_numpy(), "reason"] = reason
    counts = people.groupby(["segment_id", "segment", "reason"]).size().rename("customers").reset_index()
    handed = people[people["reason"] == HANDED]
    return handed[["customer_id", "segment_id", "segment", "email", "phone"]].reset_index(drop=True), counts


def _normalised(contacts: pd.DataFrame, column: str) -> pd.Series:
    if column not in contacts:
        return pd.Series(None, contacts.index, dtype="str")
    return contacts[column].map(_NORMALISE[column], na_action="ignore").astype("str")


def _consents(contacts: pd.DataFrame) -> pd.Series:
    """Return who agreed: everybody where the shop keeps no consent, else those who are known to."""
    if "consent" not in contacts:
        return pd.Series(True, contacts.index)
    return contacts["consent"].astype("str").str.strip().str.lower().isin(_YES)
