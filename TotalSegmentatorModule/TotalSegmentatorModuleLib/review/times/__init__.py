"""How long each structure is under review, for whoever wants to know; off until it is turned on."""
