"""Which files of a folder make up one CT volume: found, taken apart, listed and chosen. Without torch."""
