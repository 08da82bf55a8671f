"""The rules for talking to a Dask scheduler: addresses, mutual TLS, settings, and versions on the other side."""
