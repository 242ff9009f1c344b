"""From a finished run to what other systems load: audience files, tables for Power BI and Tableau, SQL."""
