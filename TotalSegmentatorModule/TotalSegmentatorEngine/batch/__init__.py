"""Many CTs in one run: a folder of results that is its own record, whatever runs it and however often it is stopped."""
