"""What all pages for browsers share: one file, without a script, with nothing from the network; they print on A4."""
