"""Brings structures onto the CT's grid."""
