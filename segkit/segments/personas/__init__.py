"""A persona per segment: what sets it apart, a typical customer, what, when and how they buy, who they are."""
