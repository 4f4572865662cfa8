"""Long histories: slots of numbers, segments of words, and how both are stored.  Pure."""
