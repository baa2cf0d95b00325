"""Why a container ended, from the last words of its log: a table of what engines and their libraries print. Pure.

With `FallbackToLogsOnError` the kubelet keeps at most the last 80 lines and 2048 bytes, so the cause may be missing:
then the last telling line is all there is.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from qwen3vl_operator.kube.mask import mask

MAX_LINE = 300
_WEIGHTS = r"(?:/models\b|safetensors|config\.json|tokenizer|preprocessor|\.gguf|pytorch_model)"

PATTERNS: tuple[tuple[str, str], ...] = (
    ("ImageUserError", r"getpwuid\(\): uid not found|runAsNonRoot|unable to find user .*passwd"),
    ("ChecksumMismatch", r"ChecksumMismatch|FileIntegrityError|Consistency check failed"),
    ("ChecksumMismatch", r"(?i)\b(?:checksum|sha-?256|digest)\b.*\b(?:mismatch|differs?|does not match)"),
    (
        "WeightsDamaged",
        r"Error while deserializing header|incomplete metadata|MetadataIncomplete|PytorchStreamReader failed|"
        r"unexpected EOF, expected \d+ more bytes",
    ),
    (
        "OutOfGPUMemory",
        r"(?:CUDA|HIP|XPU)(?: runtime)?(?: error)?:? out of memory|torch\.(?:cuda\.)?OutOfMemoryError|"
        r"CUDA_ERROR_OUT_OF_MEMORY|cudaErrorMemoryAllocation|Cuda failure.*out of memory|CUBLAS_STATUS_ALLOC_FAILED|"
        r"Free memory on device .* is less than desired GPU memory utilization|No enough gpu memory",
    ),
    (
        "KVCacheTooSmall",
        r"No available memory for the cache blocks|KV cache is needed, which is larger than|"
        r"larger than the maximum number of tokens that can be stored in (?:the )?KV cache|"
        r"Not enough memory.*--mem-fraction-static",
    ),
    (
        "BadArgument",
        r"unrecognized arguments:|error: argument \S+: |: invalid choice: |expected (?:one|at least one) argument|"
        r"the following arguments are required|error: ambiguous option|error: one of the arguments|No such option:",
    ),
    (
        "BadArgument",
        r"User-specified max_model_len|must be divisible by (?:the )?tensor.parallel|(?i:invalid) tool call parser|"
        r"(?i:invalid) reasoning parser|(?:tool|reasoning) parser .* (?:is )?not found|"
        r"appears path-like, but doesn't exist",
    ),
    ("PortInUse", r"(?i)address already in use|EADDRINUSE"),
    (
        "SharedMemoryTooSmall",
        r"/dev/shm\b.*(?:No space left|fail|insufficient)|(?:No space left|[Ff]ail|[Ii]nsufficient).*/dev/shm\b|"  # noqa: S108
        r"insufficient shared memory|No space left on device: '/(?:psm_|nccl|torch_)",
    ),
    (
        "NcclInitFailed",
        r"[NR]CCL error|NCCL WARN .*(?:[Ff]ail|[Ee]rror)|nccl(?:System|Internal|Remote|UnhandledCuda)Error|"
        r"ncclInvalid(?:Usage|Argument)|DistBackendError|DistStoreError",
    ),
    (
        "CudaError",
        r"driver on your system is too old|CUDA driver version is insufficient|Found no NVIDIA driver|"
        r"no CUDA-capable device|No CUDA GPUs are available|not compiled with CUDA|unsupported display driver|"
        r"no kernel image is available|lib(?:cuda|nvidia-ml)\.so\S*: cannot open|Failed to infer device type|"
        r"cudaGetDeviceCount|compute capability of at least|number of available GPUs|NVMLError|"
        r"CUDA(?: runtime)? error|CUDA_ERROR_|HIP error",
    ),
    (
        "UnsupportedArchitecture",
        r"Model architectures .* (?:are not supported|failed to be inspected)|"
        r"does not recognize this architecture|Can ?not found? rewrite for architectures|[Uu]nsupported model arch|"
        r"Unrecognized (?:model in|configuration class)|has no \w+ implementation|[Uu]nknown model architecture|"
        r"KeyError: '(?:qwen\w+|Qwen\w+)'",
    ),
    (
        "WeightsMissing",
        r"does not appear to have a file named|no file named .* found in directory|Cannot find any model weights|"
        r"[Cc]an't load (?:tokenizer|the (?:model|configuration|config|\w+ processor))|Incorrect path_or_model_id|"
        r"is not a local folder and is not a valid model identifier|Repo id must (?:be in the form|use alphanumeric)|"
        r"Invalid repository ID or local directory|couldn't find (?:them|it) in the cached files|"
        r"(?:LocalEntryNotFound|RepositoryNotFound|RevisionNotFound|GatedRepo|OfflineModeIsEnabled)(?:Error)?\b|"
        rf"(?i:no such file or directory): ?\S*{_WEIGHTS}|{_WEIGHTS}\S*: (?i:no such file or directory)",
    ),
    ("DiskFull", r"No space left on device|Disk quota exceeded"),
    ("PermissionDenied", r"PermissionError|Permission denied"),
)
"""(reason, what a line of that cause contains), the most specific first; a reason may stand in several rows."""

_RULES = tuple((reason, re.compile(pattern)) for reason, pattern in PATTERNS)
_LOG_PREFIX = re.compile(
    r"\((?:\w+ )*\w*pid=\d+[^)]*\) ?"  # vLLM's and Ray's processes
    r"|(?:ERROR|WARNING|INFO|CRITICAL|DEBUG) \d\d-\d\d \d\d:\d\d:\d\d (?:\[[^\]]*\]|[\w./]+:\d+\]) ?"  # vLLM
    r"|\[rank\d+\]: ?"  # torch
    r"|\[\d{4}-\d\d-\d\d[^\]]*\] ?"  # SGLang
    r"|\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d[,.\d]*Z? - \w+ - [A-Z]+ - (?:[\w.]+:\d+ - )?"  # LMDeploy
)
_FRAME = re.compile(
    r'\s*File "|\s*Traceback \(most recent|\s*During handling of the above|\s*The above exception was|'
    r"\s*\[Previous line repeated|[\s^~]*$"
)
_AFTERMATH = re.compile(
    r"root cause above|resource_tracker|leaked (?:semaphore|shared_memory)|destroy_process_group|warnings\.warn\(|"
    r"further information visit|nanobind"
)
"""What is printed after the cause, and tells nothing of it."""


@dataclass(frozen=True)
class LastWords:
    """What a termination message tells: the reason (None: no pattern fits), and the line to quote ("": none)."""

    reason: str | None
    line: str


def last_words(message: str, secrets: Iterable[str] = ()) -> LastWords:
    """The cause and the line that names it, without secrets.

    Args:
        message: the termination message, or a kubelet's own words.
        secrets: values that must not be quoted.
    """
    lines = [_without_prefixes(line) for line in mask(message, secrets).splitlines()]
    telling = [line for line, frame in zip(lines, _are_frames(lines), strict=True) if not frame]
    # A traceback's source lines are searched only when nothing else fits: the log may begin in the middle of one.
    for searched in (telling, lines):
        for reason, pattern in _RULES:
            for line in reversed(searched):
                if found := pattern.search(line):
                    return LastWords(reason, _cut(line, found.start()))
    plain = [line for line in telling if not _AFTERMATH.search(line)] or telling
    return LastWords(None, _cut(plain[-1]) if plain else "")


def _without_prefixes(line: str) -> str:
    while found := _LOG_PREFIX.match(line):
        line = line[found.end() :]
    return line.rstrip()


def _are_frames(lines: list[str]) -> list[bool]:
    """For each line whether it belongs to a traceback's frames: the line after a `File` is its source."""
    result = []
    after_file = False
    for line in lines:
        is_file = line.lstrip().startswith('File "')
        result.append(bool(_FRAME.match(line)) or (after_file and line.startswith("    ")))
        after_file = is_file or (after_file and result[-1])
    return result


def _cut(line: str, important: int = 0) -> str:
    """The line in at most MAX_LINE characters, with what stands at `important`."""
    shift = len(line) - len(line.lstrip())
    line, important = line.strip(), max(0, important - shift)
    if len(line) <= MAX_LINE:
        return line
    start = min(max(0, important - 60), len(line) - MAX_LINE)
    return ("…" if start else "") + line[start : start + MAX_LINE] + ("…" if start + MAX_LINE < len(line) else "")
