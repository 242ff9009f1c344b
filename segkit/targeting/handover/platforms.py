"""The columns that each platform's import expects, as its documentation has them (read in November 2026).

- Klaviyo, *How to create and add subscribers to a new list*: the first column is headed ``Email Address`` (or ``Phone
  Number``); every other column becomes the custom property that it is called by.
- Mailchimp, *Format guidelines for your import file*: ``Email Address`` is the only column that it needs, without
  letters beyond ASCII before the @; what stands under ``Tags`` becomes the contact's tags, a comma between two.
- HubSpot, *Set up your import files*: a header row whose names are those of properties; contacts with the same
  ``Email`` are updated. Properties that are new are made while the columns are matched.
- Salesforce, *What is imported for business accounts and contacts?*: the Data Import Wizard matches contacts by
  ``Email``; a field of one's own has a name that ends in ``__c``. The file updates contacts that are there: a new one
  would need a last name, which segkit never reads.
- Google Ads, *Format your customer data file*: headers ``Email`` and ``Phone``, in English; in lower case without
  spaces, numbers as E.164, before SHA-256.
- Meta, *How to format a customer list when creating a custom audience*: headers ``email`` and ``phone``, the country's
  code before each number; it advises against lists of fewer than 100 people.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from segkit.targeting.handover.addresses import google_email, sha256

Made = pd.DataFrame


@dataclass(frozen=True)
class Platform:
    """How one platform wants its audiences.

    `columns` turns customers (``email, phone, customer_id, segment_id, segment, month``) into the file's columns;
    `per_segment` is True where an audience is a list of its own; `by_phone` where a phone number alone will do;
    `fewest` people are what it wants in an audience.
    """

    title: str
    source: str
    columns: Callable[[pd.DataFrame], pd.DataFrame]
    per_segment: bool = False
    by_phone: bool = False
    fewest: int = 1


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
    return pd.DataFrame({"Email Address": people["email"], "Tags": people["segment"].str.replace(",", " ")})


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
    "salesforce": Platform("Salesforce", "help.salesforce.com: xcloud.for_accounts_and_contacts", _salesforce),
    "google-ads": Platform("Google Ads", "support.google.com/google-ads/answer/7659867", _google_ads, True, True),
    "meta": Platform("Meta", "facebook.com/business/help/2082575038703844", _meta, True, True, 100),
}
