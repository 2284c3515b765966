"""The receiver, from the socket to the commit."""
