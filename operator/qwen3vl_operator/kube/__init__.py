"""What the operator needs of Kubernetes and knows nothing of its own kinds: client, queue, comparison, conditions."""
