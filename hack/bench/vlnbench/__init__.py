"""Parts of `hack/bench/vln`."""
