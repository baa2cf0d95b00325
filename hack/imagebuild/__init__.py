"""The product's images, built from exactly what they declare, with Docker or without, and brought into the local
cluster's node without a registry."""
