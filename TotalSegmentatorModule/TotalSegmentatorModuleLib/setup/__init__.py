"""The first-launch page and the panel's Set-up section."""
