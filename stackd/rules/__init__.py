"""Pure decisions: no awaiting, no clock (``now`` is an argument), values in and values out."""
