"""Client processes: what they do, and the events that they tell."""
