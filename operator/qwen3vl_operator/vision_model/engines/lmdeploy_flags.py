"""The flags of LMDeploy's API server that the operator sets itself: refused among a user's own arguments."""

BACKEND = "--backend"
HOST = "--server-name"
PORT = "--server-port"
MODEL_NAME = "--model-name"
TENSOR_PARALLEL = "--tp"
CONTEXT_LENGTH = "--session-len"
GPU_MEMORY = "--cache-max-entry-count"
PREFIX_CACHING = "--enable-prefix-caching"
API_KEYS = "--api-keys"
ALLOW_TERMINATE = "--allow-terminate-by-client"
"""Opens an endpoint by which any client ends the engine: never."""

RENDERED_FLAGS = frozenset(
    {
        BACKEND,
        HOST,
        PORT,
        MODEL_NAME,
        TENSOR_PARALLEL,
        CONTEXT_LENGTH,
        GPU_MEMORY,
        PREFIX_CACHING,
        API_KEYS,
        ALLOW_TERMINATE,
    }
)
