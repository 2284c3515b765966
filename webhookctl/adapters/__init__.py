"""What it happens on: files named port first, technology second."""
