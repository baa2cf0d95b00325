"""How the two processes of the VLN API talk to each other."""
