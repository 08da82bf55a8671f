"""The review sheet: what was computed, seen and changed, to print, to open in a browser, and as data."""
