"""What the images share and neither owns: keys, error shapes, picture checks, logs. Imports no other package of the project."""
