"""What goes out: marked objects, and for each destination what was delivered."""
