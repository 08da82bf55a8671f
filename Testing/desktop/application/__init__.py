"""``slicer.app``, the module manager, the modules and their widgets, and the session that a test drives."""
