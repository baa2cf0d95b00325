"""Write the flags of LMDeploy's API server, as its own parser has them, for the unit tests; --check only compares.

    hack/engine-flags [--check] [WHEEL]

Only the parser's few modules of the wheel are imported, with stand-ins for the rest: no torch, no GPU. Without WHEEL
the wheel (107 MB) is fetched with pip. Run it when the engine's version changes.
"""

import argparse
import ast
import enum
import importlib
import json
import pathlib
import subprocess
import sys
import tempfile
import types
import zipfile
from typing import Any

VERSION = "0.18.0"
ROOT = pathlib.Path(__file__).resolve().parents[2]
RESULT = ROOT / f"tests/unit/operator/vision_model/lmdeploy-{VERSION}-flags.json"


def _stand_in(name: str, folder: pathlib.Path | None = None, **content: Any) -> None:
    module = types.ModuleType(name)
    module.__dict__.update(content)
    if folder is not None:
        module.__path__ = [str(folder)]
    sys.modules[name] = module


def real_parser(package: pathlib.Path) -> argparse.ArgumentParser:
    """LMDeploy's own parser of `lmdeploy serve api_server`, from the unpacked package folder."""
    _stand_in("lmdeploy", package)
    _stand_in("lmdeploy.cli", package / "cli")
    _stand_in("lmdeploy.utils", get_max_batch_size=None)
    tree = ast.parse((package / "messages.py").read_text())
    policy = [node for node in tree.body if getattr(node, "name", "") == "QuantPolicy"]
    scope: dict[str, Any] = {"enum": enum}
    exec(compile(ast.Module(policy, []), "messages.py", "exec"), scope)  # noqa: S102 - the enum alone, without torch
    _stand_in("lmdeploy.messages", QuantPolicy=scope["QuantPolicy"])
    for name in ("pytorch", "pytorch.disagg", "serve", "serve.parsers"):
        _stand_in(f"lmdeploy.{name}", package / "none")
    _stand_in("lmdeploy.pytorch.disagg.config", EngineRole={}, MigrationBackend={})
    registry = type("Registry", (), {"module_dict": {}})
    reasoning = "lmdeploy.serve.parsers.reasoning_parser"
    _stand_in(reasoning, ReasoningParserManager=registry, LEGACY_REASONING_PARSER_NAMES=())
    _stand_in("lmdeploy.serve.parsers.tool_parser", ToolParserManager=registry)
    cli = importlib.import_module("lmdeploy.cli.cli").CLI
    importlib.import_module("lmdeploy.cli.serve").SubCliServe.add_parsers()
    return _subparser(_subparser(cli.parser, "serve"), "api_server")


def _subparser(parser: argparse.ArgumentParser, name: str) -> argparse.ArgumentParser:
    action = next(one for one in parser._actions if isinstance(one, argparse._SubParsersAction))
    found = action.choices[name]
    assert isinstance(found, argparse.ArgumentParser)
    return found


def described(action: argparse.Action) -> dict[str, Any]:
    """One argument as JSON: what is needed to build the same argument again."""
    kind = getattr(action.type, "__name__", None)
    return {
        "flags": list(action.option_strings) or [action.dest],
        "action": type(action).__name__.strip("_"),
        "type": kind if kind in ("int", "float", "str") else None,
        "choices": None if action.choices is None else [str(choice) for choice in action.choices],
        "nargs": action.nargs,
        "default": json.loads(json.dumps(action.default, default=str)),
    }


def flags_of(wheel: pathlib.Path) -> str:
    """The file's content for that wheel."""
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder, [name for name in archive.namelist() if name.endswith(".py")])
        parser = real_parser(pathlib.Path(folder) / "lmdeploy")
        found = [described(action) for action in parser._actions if not isinstance(action, argparse._HelpAction)]
    return json.dumps(found, indent=1, sort_keys=True) + "\n"


def main() -> int:
    options = argparse.ArgumentParser(
        prog="hack/engine-flags", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--check", action="store_true", help="write nothing; exit 1 when the file differs")
    options.add_argument("wheel", nargs="?", type=pathlib.Path)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheel = given.wheel
        if wheel is None:
            fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
            subprocess.run([*fetch, "--dest", folder, f"lmdeploy=={VERSION}"], check=True)
            wheel = next(pathlib.Path(folder).glob("lmdeploy-*.whl"))
        content = flags_of(wheel)
    if not given.check:
        RESULT.write_text(content)
        print(f"written: {RESULT.relative_to(ROOT)}")
        return 0
    fresh = RESULT.exists() and RESULT.read_text() == content
    print(f"{'fresh' if fresh else 'stale'}: {RESULT.relative_to(ROOT)}")
    return 0 if fresh else 1


if __name__ == "__main__":
    sys.exit(main())
