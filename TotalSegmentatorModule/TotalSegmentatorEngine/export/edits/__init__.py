"""How much reviews change of what the models compute, for whoever wants to follow it; off until it is turned on."""
