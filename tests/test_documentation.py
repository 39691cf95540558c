"""README and docs say what is there: paths, make targets, options, settings and links."""

import ast
import re
from pathlib import Path

import pytest
from snakemake.cli import get_argument_parser

import lib
from lib.batch.command import _parser as batch_parser
from lib.config.documentation import RERUNS, settings_page
from lib.config.methods import BUILT_IN_METHODS
from lib.config.sections import Section
from lib.config.settings import Config
from tests.conftest import ROOT

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "demo").rglob("README.md")])
ELSEWHERE = {"workflow/Snakefile"}  # where other projects have theirs
PATH = re.compile(r"(?:lib|workflow|tests|docs|demo|envs)/[\w./+-]*[\w/]")
RULES = ROOT / "workflow" / "rules"


def _named_paths(text: str) -> set[str]:
    """Return the paths of the project that a page names, in code or in links; placeholders in capitals left out."""
    marked = re.findall(r"`([^`\n]+)`|\]\(([^)#\s]+)[^)]*\)", text)
    words = {word for pair in marked for part in pair for word in part.split()}
    found = {match for word in words for match in PATH.findall(word) if word.startswith(match[:4])}
    return {path for path in found if not re.search(r"\b[A-Z]{2,}\b", path.removesuffix("README.md"))}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_path_that_a_page_names_is_there(page: Path) -> None:
    """Files of lib, workflow, tests, docs, demo and envs in backticks, relative to the project's folder."""
    missing = [path for path in _named_paths(page.read_text(encoding="utf-8")) if not (ROOT / path).exists()]
    assert not set(missing) - ELSEWHERE


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    """Links to files, relative to the page, and to headings of pages."""
    for target, _, heading in re.findall(r"\]\(([^)#\s]*)(#([\w-]+))?\)", page.read_text(encoding="utf-8")):
        if target.startswith("http"):
            continue
        path = (page.parent / target) if target else page
        assert path.exists(), target
        if heading:
            titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}, heading


def test_every_make_target_that_a_page_names_is_there() -> None:
    """`make TARGET` in README and docs, and the variables given with it."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE))
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        named = re.findall(r"(?:`|^    |\n    )make ([a-z][\w-]*)((?: [A-Z]+=\S+)*)", text)
        for target, variables in named:
            assert target in targets, f"{page.name}: make {target}"
            for variable in re.findall(r"([A-Z]+)=", variables):
                assert f"$({variable})" in makefile, f"{page.name}: {variable}"


def test_every_option_of_batch_that_a_page_names_is_there() -> None:
    """`./batch VERB --option` in README and docs; what stands behind `--` is Snakemake's own."""
    verbs = next(action for action in batch_parser()._actions if action.choices).choices
    assert verbs is not None
    for page in PAGES:
        for verb, options in re.findall(r"\./batch (\w+)((?: --?[\w-]+| [\w./]+)*)", page.read_text(encoding="utf-8")):
            known = verbs[verb]._option_string_actions
            for option in re.findall(r"--[\w-]+", re.split(r" -- ", options)[0]):
                assert option in known, f"{page.name}: ./batch {verb} {option}"


OTHERS = {"--nproc-per-node", "--nv", "--bind"}  # options of torchrun and apptainer


def test_every_option_that_a_page_names_is_there() -> None:
    """`--option` anywhere in README and docs: of a command of ours, or of Snakemake's."""
    code = "".join(path.read_text(encoding="utf-8") for part in ("lib", "demo") for path in (ROOT / part).rglob("*.py"))
    known = OTHERS | set(re.findall(r'"(--[a-z][\w-]*)"', code)) | set(get_argument_parser()._option_string_actions)
    for page in PAGES:
        named = re.findall(r"(?<![\w-])--[a-z][\w-]*", page.read_text(encoding="utf-8"))
        assert not set(named) - known, page.name


def test_every_module_that_a_page_runs_is_there() -> None:
    """`python -m MODULE` in README and docs, and the options that follow it."""
    for page in PAGES:
        for module, rest in re.findall(r"python -m ((?:lib|demo)[\w.]*)([^`\n#|]*)", page.read_text(encoding="utf-8")):
            path = ROOT / module.replace(".", "/")
            script = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__main__.py"
            assert script.exists(), f"{page.name}: {module}"
            sources = [script, *script.parent.glob("*.py")]
            code = "".join(source.read_text(encoding="utf-8") for source in sources)
            for option in re.findall(r"(?<!\S)--(?!help)[a-z][\w-]*", rest):
                assert f'"{option}"' in code, f"{page.name}: {module} {option}"


def test_the_readme_fits_and_names_every_page() -> None:
    """At most 150 lines, and no page of docs that it does not lead to."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    for page in (ROOT / "docs").glob("*.md"):
        assert f"(docs/{page.name})" in text, page.name
    assert (ROOT / "docs" / "demo.jpg").stat().st_size <= 150_000


def test_the_map_is_that_of_the_code() -> None:
    """docs/architecture.md lists the packages as lib/__init__.py does."""
    listed = [line for line in (ast.get_docstring(ast.parse(_source(lib))) or "").splitlines() if line[:4] == "    "]
    assert len(listed) > 10
    assert "\n".join(listed) in (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def _source(module: object) -> str:
    return Path(str(getattr(module, "__file__", ""))).read_text(encoding="utf-8")


def test_settings_page_is_up_to_date() -> None:
    """docs/settings.md is what lib/config/documentation.py writes; make schema renews it."""
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == settings_page()


def test_methods_page_names_every_method() -> None:
    """docs/methods.md says what each built-in method is for."""
    text = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    assert [name for name in BUILT_IN_METHODS if f"`{name}`" not in text] == []


def test_results_page_names_every_file_that_a_rule_writes() -> None:
    """docs/results.md has the end of each output's path, and the rule that makes it."""
    text = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    for rules in RULES.glob("*.smk"):
        for rule, outputs in re.findall(
            r"^(?:use )?rule (.+?)(?: with)?:.*?^    output:\n(.*?)^    log:", rules.read_text(), re.M | re.S
        ):
            name = rule.split(" as ")[-1]
            assert f"`{name}`" in text, f"{rules.name}: {name}"
            for path in re.findall(r'"<results>/([^"]+)"', outputs):
                last = (
                    path.split("/")[-1]
                    .replace("{mask}", "MASK")
                    .replace("{shape}", "SHAPE")
                    .replace("{score}", "SCORE")
                    .replace("{export}", "FORMAT")
                    .replace("{index}", "INDEX")
                )
                stem, ending = re.fullmatch(r"([^._]+|.+?)((?:(?<=SHAPE)_\w+)?\.\w+|)", last).groups()
                assert last in text or (stem in text and f"`{ending}`" in text), f"{name}: {path}"


def test_every_name_in_lib_that_code_speaks_of_is_there() -> None:
    """`lib.package.module.name` in docstrings and comments of lib, demo and workflow names what is there."""
    for path in (path for part in ("lib", "demo", "workflow") for path in (ROOT / part).rglob("*.*")):
        if path.suffix not in (".py", ".smk", ".yaml", ".md"):
            continue
        for dotted in set(re.findall(r"\blib(?:\.[A-Za-z_]\w*)+", path.read_text(encoding="utf-8"))):
            *parts, last = dotted.split(".")
            inside = [ROOT.joinpath(*parts[:length]).with_suffix(".py") for length in range(len(parts), 1, -1)]
            module = next((one for one in inside if one.exists()), None)
            is_module = ROOT.joinpath(*parts, last).is_dir() or ROOT.joinpath(*parts, f"{last}.py").exists()
            assert is_module or (module and re.search(rf"\b{last}\b", module.read_text())), f"{path}: {dotted}"


def test_the_walk_through_the_code_names_what_is_there() -> None:
    """Each function, rule and key that docs/architecture.md names by a word in backticks is in the code."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    code = "".join(
        path.read_text(encoding="utf-8") for part in ("lib", "tests") for path in (ROOT / part).rglob("*.py")
    )
    rules = "".join(path.read_text(encoding="utf-8") for path in RULES.glob("*.smk"))
    for name in set(re.findall(r"`(_?[a-z]+(?:_[a-z0-9]+)+|[A-Z]+_[A-Z_]+)`", text)):
        is_named = re.search(rf"\b{name}\b", rules) or f'"{name}"' in code
        assert re.search(rf"\b(def|class) {name}\b|^ *{name}\b.* = ", code, re.MULTILINE) or is_named, name


def _readers() -> dict[str, set[str]]:
    """Return the rule files that read each key of the settings: as an attribute, or among the words of only()."""
    readers: dict[str, set[str]] = {}
    for path in RULES.glob("*.smk"):
        text = path.read_text(encoding="utf-8")
        for section, keys in re.findall(r"SETTINGS\.(\w+)\.only\(([^)]*)\)", text):
            for key in re.findall(r'"(\w+)"', keys):
                readers.setdefault(f"{section}.{key}", set()).add(path.name)
        for section, key in re.findall(r"SETTINGS\.(\w+)\.(\w+)", text):
            readers.setdefault(f"{section}.{key}", set()).add(path.name)
    return readers


BY_METHOD = {f"sampling.{key}" for key in ("num_steps", "guidance", "lora_scale", "lock_latents", "composite")}
BY_METHOD.add("sampling.cache_threshold")  # read by the keys of a method: see sampling_of in generate.smk
FOR_ALL = {path.name for path in RULES.glob("*.smk") if not re.search(r"^(use )?rule ", path.read_text(), re.MULTILINE)}
"""Files without rules, which choose for the rules of others."""


def test_what_a_setting_reruns_is_what_the_rules_read() -> None:
    """Each key is in the table; the rules named there are in files that read it, and no earlier rule's file does."""
    keys = {
        f"{name}.{key}" if issubclass(kind, Section) else name
        for name, field in Config.model_fields.items()
        for kind in [field.annotation if isinstance(field.annotation, type) else object]
        for key in (kind.model_fields if issubclass(kind, Section) else [""])
    }
    assert set(RERUNS) == keys, "lib/config/documentation.py, RERUNS"
    file_of = {
        name: path.name
        for path in RULES.glob("*.smk")
        for name in re.findall(r"^(?:use )?rule (?:\w+ as )?(\w+)", path.read_text(), re.MULTILINE)
    }
    readers = _readers()
    order = [
        "prepare.smk",
        "editor.smk",
        "caption.smk",
        "mask.smk",
        "encode.smk",
        "shared.smk",
        "train.smk",
        "export.smk",
        "generate.smk",
        "rivals.smk",
        "evaluate.smk",
        "scores.smk",
        "report.smk",
    ]
    for key in sorted(keys):
        named = re.findall(r"`(\w+)`", RERUNS[key])
        if "." not in key or key in BY_METHOD:
            continue
        files = readers.get(key, set())
        assert named and files, key
        for rule in named:
            assert file_of[rule] in files or FOR_ALL & files, f"{key}: {rule} does not read it"
        first = min((order.index(name) for name in files if name in order), default=len(order))
        assert min(order.index(file_of[rule]) for rule in named) <= first, f"{key}: an earlier rule reads it"
