"""What many VisionModels and NavTasks cost the operator: `hack/bench/operator --help`."""
