"""Who is handed over, and how many are not for which reason."""

import pandas as pd

from segkit.clustering.segmentation import LEFT_OUT
from segkit.runtime.text import quote
from segkit.targeting.handover.addresses import inbox, normalise_email, normalise_phone
from segkit.targeting.handover.platforms import Platform

_YES = ("true", "t", "yes", "y", "1", "1.0", "granted", "subscribed", "opt-in", "opted in")
_YES += ("ja", "j", "oui", "sí", "si")
_SILENCE = ("", "nan", "none", "null", "<na>", "n/a", "unknown")  # all else is a refusal
HANDED = "handed over"
_NORMALISE = {"email": normalise_email, "phone": normalise_phone}


def read_contacts(orders) -> pd.DataFrame | None:
    """Return every record of ``email, phone, consent`` that the shop keeps; None where it has no addresses.

    Returns
    -------
    DataFrame
        Index customer_id, which may occur many times or be missing. Where the card says that consent is not needed
        (``[consent] not_needed``), records that are silent count as granted.
    """
    columns = orders.columns.get("contacts", [])
    if not {"email", "phone"} & set(columns):
        return None
    listed = ", ".join(f"CAST({quote(name)} AS VARCHAR) AS {quote(name)}" for name in ("customer_id", *columns))
    contacts = orders.connection.execute(f"SELECT {listed} FROM contacts").df().set_index("customer_id")
    if orders.card.consent_not_needed:
        contacts["consent"] = _consent(contacts).replace("", "yes")
    return contacts


def reachable_customers(contacts: pd.DataFrame, customers: pd.Index) -> pd.Series:
    """Return who can be written to: with consent, and with an e-mail address or a phone number.

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
    own = _people(contacts, customers.astype("str"))
    return (own["consents"] & (own["email"].notna() | own["phone"].notna())).set_axis(customers)


def audience(
    assignments: pd.DataFrame, contacts: pd.DataFrame, platform: Platform, *, floor: int, min_confidence: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the customers whom a platform gets, and how many of each segment it gets or doesn't, by reason.

    A refusal holds for the customer and for the address, under whichever record it stands and however the address is
    spelled; where no record grants it, there is no consent.

    Parameters
    ----------
    assignments : DataFrame
        ``customer_id, segment_id, segment, confidence``.
    contacts : DataFrame
        Index customer_id, as `read_contacts` has it; those of ``email, phone, consent`` that the shop has.
    platform : Platform
    floor : int
        Fewer customers of a segment are not handed over: neither where the segment is smaller nor where fewer are
        left, since a file of a few would name them.
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
    own = _people(contacts, people["customer_id"])
    people[["email", "phone"]] = own[["email", "phone"]].to_numpy()
    people["reason"] = HANDED

    def leave_out(reason: str, holds) -> None:
        people.loc[(people["reason"] == HANDED) & holds, "reason"] = reason

    leave_out("in no segment", people["segment_id"] == LEFT_OUT)
    leave_out(f"segment smaller than {floor}", people["segment_id"].map(people["segment_id"].value_counts()) < floor)
    leave_out(f"confidence below {min_confidence:g}", people["confidence"].fillna(0) < min_confidence)
    leave_out("without consent", ~own["consents"].to_numpy())
    leave_out("without an address", people["email"].isna() & (people["phone"].isna() | (not platform.by_phone)))
    left = people[people["reason"] == HANDED]
    reached = left["email"].map(inbox, na_action="ignore")
    same_phone = left["phone"].notna() & left["phone"].duplicated()
    same = (reached.notna() & reached.duplicated()) | (reached.isna() & same_phone)
    people.loc[left.index[same_phone], "phone"] = None  # where there is an e-mail too: no number twice
    people.loc[left.index[same], "reason"] = "same address as another customer"
    left = people.loc[people["reason"] == HANDED, "segment_id"]
    few = left.value_counts().loc[lambda sizes: sizes < floor].index
    leave_out(f"segment with fewer than {floor} left", people["segment_id"].isin(few))
    counts = people.groupby(["segment_id", "segment", "reason"]).size().rename("customers").reset_index()
    handed = people[people["reason"] == HANDED]
    return handed[["customer_id", "segment_id", "segment", "email", "phone"]].reset_index(drop=True), counts


def _people(contacts: pd.DataFrame, customers: pd.Index | pd.Series) -> pd.DataFrame:
    """Return ``email, phone, consents``, a row per customer: of the records that grant it, less what is refused."""
    said = _consent(contacts)
    records = pd.DataFrame({column: _normalised(contacts, column) for column in _NORMALISE})
    refusals = records[said.eq("no").to_numpy()]
    emails, phones = refusals["email"].dropna().map(inbox), refusals["phone"].dropna()
    granted = records[said.eq("yes").to_numpy()].sort_values(list(_NORMALISE))
    people = granted.groupby(level=0).first().reindex(pd.Index(customers, dtype="str"))
    known = people.index.isin(granted.index) & ~people.index.isin(refusals.index)
    known &= ~people["email"].map(inbox, na_action="ignore").isin(emails).to_numpy()
    refused = people["phone"].isin(phones).to_numpy()
    known &= ~(refused & people["email"].isna().to_numpy())
    return people.assign(phone=people["phone"].mask(refused), consents=known)


def _normalised(contacts: pd.DataFrame, column: str) -> pd.Series:
    if column not in contacts:
        return pd.Series(None, contacts.index, dtype="str")
    return contacts[column].map(_NORMALISE[column], na_action="ignore").astype("str")


def _consent(contacts: pd.DataFrame) -> pd.Series:
    """Return ``yes``, ``no`` or nothing of each record: nothing of all of them where the shop keeps no consent."""
    if "consent" not in contacts:
        return pd.Series("", contacts.index)
    written = contacts["consent"].astype("str").fillna("").str.strip().str.casefold()
    return pd.Series("no", contacts.index).mask(written.isin(_SILENCE), "").mask(written.isin(_YES), "yes")
