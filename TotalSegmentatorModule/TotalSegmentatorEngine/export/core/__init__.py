"""What every export works on: structures with their names, codes, masks and volumes."""
