"""What evaluates expressions."""
