"""What happens: a module for each thing that an operator asks for."""
