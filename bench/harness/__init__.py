"""What starts the contestants, has them measured in turn, and tells the results."""
