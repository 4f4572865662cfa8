"""Files that grow: how they are followed, and how a pattern reads their lines."""
