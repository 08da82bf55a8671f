"""Which ROIs an export has and what they are called: templates, unions, TG-263 names."""
