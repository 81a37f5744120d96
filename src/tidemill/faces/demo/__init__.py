"""A year of flights out of New York, and one picture of what the loop was worth."""
