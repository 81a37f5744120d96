"""Where things are kept: events, state, blobs."""
