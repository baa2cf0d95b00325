"""Why a container ended, from what engines really print last: a row per message, and nothing secret in any."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3vl_operator.kube.conditions import REASONS
from qwen3vl_operator.kube.mask import MASK, mask
from qwen3vl_operator.vision_model.termination import MAX_LINE, PATTERNS, last_words

VLLM_OOM = """\
(EngineCore_DP0 pid=208) ERROR 10-25 13:08:43 [core.py:708]   File "/usr/lib/python3.12/vllm/worker.py", line 76, in f
(EngineCore_DP0 pid=208) ERROR 10-25 13:08:43 [core.py:708]     self.model_runner.profile_run()
(EngineCore_DP0 pid=208) ERROR 10-25 13:08:43 [core.py:708]     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
(EngineCore_DP0 pid=208) ERROR 10-25 13:08:43 [core.py:708] torch.OutOfMemoryError: CUDA out of memory. Tried to \
allocate 2.32 GiB. GPU 0 has a total capacity of 23.69 GiB of which 1.02 GiB is free.
Traceback (most recent call last):
  File "/usr/local/bin/vllm", line 10, in <module>
    sys.exit(main())
             ^^^^^^
RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}
"""
ARGPARSE = """\
usage: lmdeploy serve api_server [-h] [--server-name SERVER_NAME] model_path
lmdeploy serve api_server: error: unrecognized arguments: --tensor-paralel 4
"""
FROZEN = """\
Traceback (most recent call last):
  File "<frozen runpy>", line 198, in _run_module_as_main
  File "/opt/py3/lib/python3.10/site-packages/lmdeploy/archs.py", line 140, in get_model_arch
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
FileNotFoundError: [Errno 2] No such file or directory: '/models/Qwen3-VL-32B-Instruct/config.json'
"""
MISSING_SHARD = 'FileNotFoundError: No such file or directory: "/models/q/model-00003-of-00014.safetensors"'

# The reason, a termination message, words of the line that is quoted.
TABLE: tuple[tuple[str | None, str, str], ...] = (
    ("OutOfGPUMemory", VLLM_OOM, "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.32 GiB."),
    ("OutOfGPUMemory", "[TM][ERROR] CUDA runtime error: out of memory /lmdeploy/src/allocator.cc:49", "out of memory"),
    ("OutOfGPUMemory", "RuntimeError: No enough gpu memory for runtime.", "No enough gpu memory"),
    ("OutOfGPUMemory", "RuntimeError: CUDA error: out of memory", "CUDA error: out of memory"),
    ("OutOfGPUMemory", "torch.cuda.OutOfMemoryError: HIP out of memory. Tried to allocate 1 GiB", "HIP out of memory"),
    (
        "OutOfGPUMemory",
        "ValueError: Free memory on device (3.27/15.98 GiB) on startup is less than desired GPU memory utilization "
        "(0.9, 14.39 GiB). Decrease GPU memory utilization or reduce GPU memory used by other processes.",
        "Free memory on device (3.27/15.98 GiB)",
    ),
    (
        "OutOfGPUMemory",
        "torch.distributed.DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:3353, unhandled cuda error\n"
        "Last error:\nCuda failure 2 'out of memory'",
        "Cuda failure 2 'out of memory'",
    ),
    (
        "KVCacheTooSmall",
        "ERROR 06-02 05:17:18 [core.py:387] ValueError: No available memory for the cache blocks. Try increasing "
        "`gpu_memory_utilization` when initializing the engine.",
        "ValueError: No available memory for the cache blocks.",
    ),
    (
        "KVCacheTooSmall",
        "ValueError: To serve at least one request with the models's max seq len (40960), (10.00 GiB KV cache is "
        "needed, which is larger than the available KV cache memory (1.25 GiB).",
        "max seq len (40960)",
    ),
    (
        "KVCacheTooSmall",
        "RuntimeError: Not enough memory. Please try to increase --mem-fraction-static.",
        "--mem-fraction-static",
    ),
    ("BadArgument", ARGPARSE, "error: unrecognized arguments: --tensor-paralel 4"),
    ("BadArgument", "vllm serve: error: argument --dtype: invalid choice: 'x' (choose from auto, half)", "--dtype"),
    ("BadArgument", "api_server: error: argument --api-keys: expected at least one argument", "--api-keys: expected"),
    ("BadArgument", "sglang: error: the following arguments are required: --model-path/--model", "--model-path"),
    ("BadArgument", "api_server: error: argument --tp: invalid int value: 'four'", "invalid int value"),
    (
        "BadArgument",
        "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig\n"
        "  Value error, User-specified max_model_len (300000) is greater than the derived max_model_len 262144\n"
        "    For further information visit https://errors.pydantic.dev/2.12/v/value_error",
        "User-specified max_model_len (300000)",
    ),
    (
        "BadArgument",
        "ValueError: Total number of attention heads (40) must be divisible by tensor parallel size (3).",
        "tensor parallel size (3)",
    ),
    ("WeightsMissing", FROZEN, "'/models/Qwen3-VL-32B-Instruct/config.json'"),
    ("WeightsMissing", MISSING_SHARD, "model-00003-of-00014.safetensors"),
    (
        "WeightsMissing",
        "OSError: /models/q does not appear to have a file named config.json. Checkout 'https://hub.example/q/tree/main'",
        "does not appear to have a file named config.json",
    ),
    (
        "WeightsMissing",
        "huggingface_hub.errors.HFValidationError: Repo id must be in the form 'repo_name' or 'namespace/repo_name': "
        "'/models/q'. Use `repo_type` argument if needed.",
        "'/models/q'",
    ),
    ("WeightsMissing", "RuntimeError: Cannot find any model weights with `/models/q`", "Cannot find any model weights"),
    ("WeightsMissing", "OSError: Can't load tokenizer for '/models/q'. If you were trying to load it", "/models/q"),
    (
        "WeightsDamaged",
        "SafetensorError: Error while deserializing header: incomplete metadata, file not fully covered",
        "Error while deserializing header",
    ),
    ("WeightsDamaged", "safetensors_rust.SafetensorError: MetadataIncompleteBuffer", "MetadataIncompleteBuffer"),
    (
        "ChecksumMismatch",
        "ChecksumMismatch: model-00001-of-00014.safetensors: sha256 is 1f…, expected 9a…",
        "model-00001-of-00014.safetensors",
    ),
    ("ChecksumMismatch", "sha256 of model.safetensors does not match the listing", "does not match"),
    (
        "ImageUserError",
        "  File \"/usr/lib/python3.12/getpass.py\", line 169, in getuser\n    return pwd.getpwuid(os.getuid())[0]\n"
        "KeyError: 'getpwuid(): uid not found: 65532'",
        "KeyError: 'getpwuid(): uid not found: 65532'",
    ),
    (
        "ImageUserError",
        'container has runAsNonRoot and image will run as root (pod: "m-engine-0_robots(uid)", container: engine)',
        "will run as root",
    ),
    (
        "NcclInitFailed",
        "[rank0]: torch.distributed.DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:1333, unhandled system error",
        "NCCL error in: ProcessGroupNCCL.cpp:1333",
    ),
    ("NcclInitFailed", "RuntimeError: NCCL error: unhandled system error (run with NCCL_DEBUG=INFO)", "NCCL error"),
    (
        "SharedMemoryTooSmall",
        "m-engine-0:88:214 [1] misc/shmutils.cc:72 NCCL WARN Error: failed to extend /dev/shm/nccl-LcVqyS to 33030532 "
        "bytes\ntorch.distributed.DistBackendError: NCCL error in: NCCLUtils.cpp:77, ncclSystemError",
        "/dev/shm/nccl-LcVqyS",
    ),
    (
        "CudaError",
        "RuntimeError: The NVIDIA driver on your system is too old (found version 12020).",
        "too old (found version 12020)",
    ),
    ("CudaError", "RuntimeError: No CUDA GPUs are available", "No CUDA GPUs"),
    ("CudaError", "ImportError: libcuda.so.1: cannot open shared object file: No such file or directory", "libcuda"),
    ("CudaError", "RuntimeError: Failed to infer device type, please set the environment variable", "device type"),
    ("CudaError", "RuntimeError: CUDA error: no kernel image is available for execution on the device", "no kernel"),
    (
        "UnsupportedArchitecture",
        "ValueError: The checkpoint you are trying to load has model type `qwen3_vl` but Transformers does not "
        "recognize this architecture.",
        "`qwen3_vl`",
    ),
    (
        "UnsupportedArchitecture",
        "  Value error, Model architectures ['Qwen3VLForConditionalGeneration'] are not supported for now. Supported "
        "architectures: dict_keys(['AquilaModel', " + ", ".join(f"'Model{number}'" for number in range(200)) + "])",
        "Model architectures ['Qwen3VLForConditionalGeneration'] are not supported",
    ),
    (
        "UnsupportedArchitecture",
        "RuntimeError: Can not found rewrite for architectures: ['Qwen2_5_VLForConditionalGeneration']",
        "['Qwen2_5_VLForConditionalGeneration']",
    ),
    (
        "PortInUse",
        "ERROR:    [Errno 98] error while attempting to bind on address ('0.0.0.0', 8000): address already in use",
        "8000",
    ),
    ("DiskFull", "OSError: [Errno 28] No space left on device: '/cache/triton/x'", "/cache/triton/x"),
    ("PermissionDenied", "PermissionError: [Errno 13] Permission denied: '/root/.cache'", "'/root/.cache'"),
    (None, 'Traceback (most recent call last):\n  File "a", line 1, in f\n    g()\nValueError: odd', "ValueError: odd"),
    (None, "ModuleNotFoundError: No module named 'lmdeploy'", "No module named 'lmdeploy'"),
    (
        None,
        "RuntimeError: the worker gave up\n/usr/lib/python3.12/resource_tracker.py:254: UserWarning: There appear to "
        "be 1 leaked semaphore objects to clean up at shutdown\n  warnings.warn(",
        "RuntimeError: the worker gave up",
    ),
    (None, "RuntimeError: Engine core initialization failed. See root cause above.", "initialization failed"),
    (None, "2026-03-01 10:20:36,123 - lmdeploy - ERROR - engine.py:904 - Task <MainLoop> failed", "Task <MainLoop>"),
    (None, "", ""),
    (None, "Traceback (most recent call last):\n", ""),
)  # fmt: skip


@pytest.mark.parametrize(("reason", "message", "quoted"), TABLE)
def test_what_was_printed_last_tells_the_cause(reason: str | None, message: str, quoted: str) -> None:
    found = last_words(message)
    assert found.reason == reason
    assert quoted in found.line
    assert not quoted or len(found.line) <= MAX_LINE + 2


def test_every_reason_of_the_patterns_is_shown_here_and_is_a_reason_of_the_engine() -> None:
    in_patterns = {reason for reason, _ in PATTERNS}
    assert in_patterns == {reason for reason, _, _ in TABLE if reason is not None}
    assert in_patterns <= set(REASONS["EngineReady"])


def test_the_line_is_quoted_without_the_logs_own_prefix() -> None:
    assert last_words(VLLM_OOM).line.startswith("torch.OutOfMemoryError")
    assert last_words(TABLE[-4][1]).line.startswith("RuntimeError: Engine core")


def test_a_message_that_begins_within_a_traceback_is_searched_there_too() -> None:
    cut = '    raise ValueError("No available memory for the cache blocks. "\n  File "x.py", line 3\n    run()\n'
    assert last_words(cut).reason == "KVCacheTooSmall"


def test_a_long_line_is_cut_around_what_matters() -> None:
    line = last_words("x" * 2000 + " CUDA out of memory " + "y" * 2000).line
    assert "CUDA out of memory" in line
    assert line.startswith("…")
    assert line.endswith("…")


# What is printed → what is told of it.
MASKED = {
    "--api-keys k1 k2 --tp 4": "--api-keys *** --tp 4",
    "serve: error: unrecognized arguments: --api-key k1": "serve: error: unrecognized arguments: --api-key ***",
    "Namespace(api_keys=['k1', 'k2'], tp=4)": "Namespace(api_keys=***, tp=4)",
    "Authorization: Bearer k1.k2": "Authorization: Bearer ***",
    "{'authorization': 'Basic a2V5'}": "{'authorization': 'Basic ***'}",
    "HF_TOKEN=hf_k1 is set": "HF_TOKEN=*** is set",
    '{"token": "k1", "tp": 4}': '{"token": ***, "tp": 4}',
    "OPENAI_API_KEY: k1": "OPENAI_API_KEY: ***",
    "cannot log in with token k1": "cannot log in with token ***",
    "GET https://user:k1@hub.example/x": "GET https://***@hub.example/x",
}
KEPT = (
    "error: argument --api-key: expected one argument",
    "max_new_tokens=1024, eos_token_id=151645, image token id 151655",
    "OSError: Can't load tokenizer for '/models/q'",
    'MountVolume.SetUp failed for volume "hub-token" : secret "hub-token" not found',
    "couldn't find key api-key in Secret robots/hub",
)


@pytest.mark.parametrize("text", MASKED)
def test_values_after_the_words_for_secrets_are_masked(text: str) -> None:
    assert mask(text) == MASKED[text]


@pytest.mark.parametrize("text", KEPT)
def test_sentences_about_keys_and_tokens_stay_readable(text: str) -> None:
    assert mask(text) == text


KEYS = st.text("abcdefghijklmnopqrstuvwxyz0123456789_-", min_size=12, max_size=40)


@given(secret=KEYS, before=st.text(max_size=30), after=st.text(max_size=30))
def test_no_known_secret_is_left_and_masking_twice_changes_nothing(secret: str, before: str, after: str) -> None:
    text = mask(f"{before}{secret}{after}", [secret, ""])
    assert secret not in text
    assert mask(text, [secret]) == text


@given(secret=KEYS, lost=st.integers(min_value=1, max_value=3))
def test_the_end_of_a_secret_is_not_told_where_the_log_was_cut(secret: str, lost: int) -> None:
    found = last_words(secret[lost:] + " ends\nRuntimeError: odd", [secret])
    assert secret[lost:] not in mask(secret[lost:] + " ends", [secret])
    assert found.line == "RuntimeError: odd"
    assert mask(secret[lost:], [secret]) == MASK
