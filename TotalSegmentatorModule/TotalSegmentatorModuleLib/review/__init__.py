"""The panel's Review section: likely faults first, each structure judged by a key."""
