"""The HTTP face of the VLN API: bodies and routes, thin over `Navigation`."""
