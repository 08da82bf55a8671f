"""The command ``receive``: CTs come in over the network or in a folder, are segmented, and their results go out."""
