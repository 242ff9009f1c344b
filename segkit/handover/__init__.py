"""From a finished run to what other systems load: audience files, tables for Power BI and Tableau, SQL.

`addresses` normalises and hashes, `audience` says who is handed over and counts who isn't, `platforms` has each
platform's columns, `star` the tables for reporting tools, `folder` writes it all.
"""

from segkit.handover.audience import audience, reachable_customers, read_contacts
from segkit.handover.folder import hand_over, write_csv
from segkit.handover.platforms import PLATFORMS

__all__ = ["PLATFORMS", "audience", "hand_over", "reachable_customers", "read_contacts", "write_csv"]
