"""The columns that each platform's import expects, from its documentation."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from segkit.handover.addresses import google_email, sha256

Made = pd.DataFrame


@dataclass(frozen=True)
class Platform:
    """How one platform wants its audiences.

    `columns` turns customers (``email, phone, customer_id, segment_id, segment, month``) into the file's columns;
    `per_segment` is True where an audience is a list of its own; `by_phone` where a phone number alone will do.
    """

    title: str
    source: str
    columns: Callable[[pd.DataFrame], pd.DataFrame]
    per_segment: bool = False
    by_phone: bool = False


def _klaviyo(people: pd.DataFrame) -> Made:
    return _with_properties(people, "Email Address", "Segment", "Segment ID", "Segment Month", "Customer ID")


def _hubspot(people: pd.DataFrame) -> Made:
    return _with_properties(people, "Email", "Segment", "Segment ID", "Segment Month", "Customer ID")


def _salesforce(people: pd.DataFrame) -> Made:
    return _with_properties(people, "Email", "Segment__c", "Segment_Id__c", "Segment_Month__c", "Customer_Id__c")


def _with_properties(people: pd.DataFrame, *names: str) -> Made:
    columns = ("email", "segment", "segment_id", "month", "customer_id")
    return people[list(columns)].set_axis(list(names), axis=1)


def _mailchimp(people: pd.DataFrame) -> Made:
    return pd.DataFrame({"Email Address": people["email"], "Tags": people["segment"]})


def _google_ads(people: pd.DataFrame) -> Made:
    email, phone = people["email"].map(google_email, na_action="ignore"), people["phone"]
    return pd.DataFrame({"Email": _hashed(email), "Phone": _hashed(phone)})


def _meta(people: pd.DataFrame) -> Made:
    digits = people["phone"].str.removeprefix("+")
    return pd.DataFrame({"email": _hashed(people["email"]), "phone": _hashed(digits)})


def _hashed(texts: pd.Series) -> pd.Series:
    return texts.map(sha256, na_action="ignore")


PLATFORMS = {
    "klaviyo": Platform("Klaviyo", "help.klaviyo.com/hc/en-us/articles/115005078967", _klaviyo),
    "mailchimp": Platform("Mailchimp", "mailchimp.com/help/format-guidelines-for-your-import-file", _mailchimp),
    "hubspot": Platform("HubSpot", "knowledge.hubspot.com/import-and-export/set-up-your-import-file", _hubspot),
    "salesforce": Platform("Salesforce", "help.salesforce.com, Data Loader: upsert contacts by Email", _salesforce),
    "google-ads": Platform("Google Ads", "support.google.com/google-ads/answer/7659867", _google_ads, True, True),
    "meta": Platform("Meta", "facebook.com/business/help/2082575038703844", _meta, True, True),
}
