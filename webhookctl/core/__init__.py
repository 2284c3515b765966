"""What is true: types and rules, without clock, file, network, log or thread."""
