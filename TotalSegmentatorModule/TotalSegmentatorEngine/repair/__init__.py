"""Mends one structure after the user has seen a preview. Without torch."""
