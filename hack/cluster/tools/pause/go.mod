module qwen3vl.io/hack/cluster/tools/pause

go 1.26.0
