"""A user's table where it lies, read once and left as it was: files, folders, databases."""
