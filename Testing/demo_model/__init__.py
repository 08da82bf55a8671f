"""The demo model: a small nnU-Net v2 network trained on the phantom only. Never for patients."""
