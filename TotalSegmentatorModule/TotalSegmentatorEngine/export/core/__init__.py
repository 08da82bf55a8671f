"""What every export works on: structures with their names, codes and masks."""
