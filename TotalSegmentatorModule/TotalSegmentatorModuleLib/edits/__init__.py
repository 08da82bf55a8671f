"""The edits of reviews over time, for whoever wants to follow them; off until it is turned on."""
