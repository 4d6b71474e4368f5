"""The fault bench: what the broker promises, under faults at random moments; see scripts/torture."""
