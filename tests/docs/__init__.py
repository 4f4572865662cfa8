"""What the documentation, the README and the examples say is true."""
