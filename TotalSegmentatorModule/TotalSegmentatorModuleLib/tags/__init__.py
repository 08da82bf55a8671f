"""What the module keeps in the tags of segments and the attributes of nodes."""
