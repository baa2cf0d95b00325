"""What the scripts in hack/ do when it is more than a few lines. Standard library only: it runs before anything is
installed."""
