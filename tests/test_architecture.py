"""The shape of the code that design.md promises: which way imports run, what packages list, generated files."""

import ast
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import yaml

from lib.config.documentation import json_schema
from lib.config.settings import Config
from tests.conftest import ROOT


def _imports(path: Path, at_start: bool = False) -> set[str]:
    found = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body if at_start else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def _lib_modules() -> list[Path]:
    return sorted((ROOT / "lib").rglob("*.py"))


def test_packages_say_what_they_hold() -> None:
    """Each package of lib says in a line what it is for, lists its modules, a line each, and re-exports nothing."""
    for path in (ROOT / "lib").rglob("__init__.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert len(tree.body) == 1, f"{path} does more than say what the package is"
        lines = (ast.get_docstring(tree) or "").splitlines()
        listed = {match[1] for line in lines[1:] if (match := re.match(r" *(\w+)  +\S", line))}
        inside = [child for child in path.parent.iterdir() if child.suffix == ".py" or (child / "__init__.py").exists()]
        assert listed == {child.stem for child in inside} - {"__init__"}, path
        assert lines[0].endswith("."), path


def test_planning_a_batch_does_not_load_torch() -> None:
    """The modules that rule files import stay free of torch: planning takes seconds otherwise."""
    rule_files = " ".join(path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk"))
    modules = sorted(set(re.findall(r"^ *from (lib[\w.]+) import", rule_files, flags=re.MULTILINE)))
    assert modules
    code = f"import sys; [__import__(m) for m in {modules}]; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_weights_are_read_without_their_code() -> None:
    """Each call that could unpickle asks for weights alone, and each model of a hub's format for safetensors."""
    for path in (ROOT / "lib").rglob("*.py"):
        for call in (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)):
            named = {word.arg: ast.unparse(word.value) for word in call.keywords}
            called = ast.unparse(call.func)
            if called == "torch.load":
                assert named.get("weights_only") == "True", f"{path}:{call.lineno}"
            if called.endswith(".from_pretrained") and not re.search(r"Auto(Processor|Tokenizer|Image)", called):
                assert named.get("use_safetensors") == "True", f"{path}:{call.lineno}"
            assert called not in ("pickle.load", "pickle.loads"), f"{path}:{call.lineno}"


def test_config_schema_is_up_to_date() -> None:
    """workflow/schemas/config.schema.json is what lib/config/settings.py generates; make schema renews it."""
    assert (ROOT / "workflow" / "schemas" / "config.schema.json").read_text(encoding="utf-8") == json_schema()


def test_config_yaml_lists_every_key() -> None:
    """config.yaml, the users' reference, has each key of lib/config/settings.py and comments each."""
    text = (ROOT / "config.yaml").read_text(encoding="utf-8")
    given = yaml.safe_load(text)
    for name, field in Config.model_fields.items():
        assert name in given, name
        if hasattr(field.annotation, "model_fields"):
            assert set(given[name]) == set(field.annotation.model_fields), name
    for line in text.splitlines():
        if ":" in line and not line.startswith("#") and not line.rstrip().endswith(":"):
            assert "#" in line, f"no comment: {line}"


def test_environments_agree_with_the_tested_versions() -> None:
    """Each pin in envs/*.yaml is the version in constraints.txt, and each required package is pinned there."""
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "envs" / "constraints.txt").read_text(), re.MULTILINE))
    tested = {name.lower(): version for name, version in pins.items()}
    for path in sorted((ROOT / "envs").glob("*.yaml")):
        dependencies = yaml.safe_load(path.read_text())["dependencies"]
        for package in next(part["pip"] for part in dependencies if isinstance(part, dict)):
            name, _, version = package.partition("==")
            assert tested.get(name.lower()) == version, f"{path.name}: {package}"
    for name in ("requirements.txt", "requirements-dev.txt"):
        for line in (ROOT / "envs" / name).read_text().splitlines():
            if line and not line.startswith("#"):
                assert line.lower() in tested, f"{name}: {line}"


def _libraries_of(script: Path) -> set[str]:
    """Return the third-party modules that a script imports at its start, itself or through lib."""
    seen: set[Path] = set()
    to_see, found = [script], set()
    while to_see:
        path = to_see.pop()
        if path in seen:
            continue
        seen.add(path)
        for name in _imports(path, at_start=True):
            top, _, module = name.partition(".")
            if top == "lib":
                module_path = ROOT / "lib" / Path(*module.split("."))
                candidates = [module_path.with_suffix(".py"), module_path / "__init__.py"]
                to_see += [candidate for candidate in candidates if candidate.exists()]
            elif top not in sys.stdlib_module_names:
                found.add(top)
    return found


def test_environments_hold_what_their_scripts_import() -> None:
    """With --sdm conda a script has its environment alone: each library that it or lib imports is pinned there."""
    distributions = packages_distributions()
    pairs = set()
    for rules in sorted((ROOT / "workflow" / "rules").glob("*.smk")):
        pairs |= set(
            re.findall(r'"\.\./\.\./envs/(\w+)\.yaml".*?"\.\./scripts/(\w+)\.py"', rules.read_text(), re.DOTALL)
        )
    assert len(pairs) == len(list((ROOT / "workflow" / "scripts").glob("*.py")))
    for environment, script in sorted(pairs):
        content = yaml.safe_load((ROOT / "envs" / f"{environment}.yaml").read_text())
        assert set(content) == {"channels", "dependencies"} and "python=3.11" in content["dependencies"], environment
        packages = next(part["pip"] for part in content["dependencies"] if isinstance(part, dict))
        pinned = {package.partition("==")[0].lower() for package in packages}
        pinned |= {"opencv-python-headless"} if "ultralytics" in pinned else set()  # it brings its own
        for module in _libraries_of(ROOT / "workflow" / "scripts" / f"{script}.py"):
            names = {name.lower() for name in distributions[module]}
            assert names & pinned, f"envs/{environment}.yaml: {script}.py imports {module}"


def test_every_rule_has_its_conda_environment() -> None:
    """Each rule that runs a script names one environment file, which exists; no script is without such a rule."""
    scripts = set()
    for path in (ROOT / "workflow" / "rules").glob("*.smk"):
        for rule in re.split(r"^rule ", path.read_text(), flags=re.MULTILINE)[1:]:
            named = re.findall(r'script:\s+"(\S+)"', rule)
            if named:
                (environment,) = re.findall(r'conda:\s+"(\S+)"', rule)
                assert (path.parent / environment).exists(), f"{path.name}: {environment}"
                scripts.add(Path(named[0]).name)
    assert scripts == {path.name for path in (ROOT / "workflow" / "scripts").glob("*.py")}
