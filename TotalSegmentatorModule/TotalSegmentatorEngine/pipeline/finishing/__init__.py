"""From the labels that the networks of a job gave to its finished result: restored, in layers, checked, reviewed."""
