"""Installs packages and models together, from the network or from an offline folder."""
