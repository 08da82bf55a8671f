"""The rules, by subject; each yields flags."""
