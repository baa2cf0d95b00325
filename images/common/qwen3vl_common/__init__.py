"""What the images share and neither owns: keys, errors, picture checks, logs. Imports no other package of ours."""
