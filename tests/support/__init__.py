"""What several tests share. Nothing here is a test; tests import from here and not from one another."""
