#!/usr/bin/env python3
"""Checks how much of the lines and branches of include/ and src/ the tests of a build have run.

coverage.py BUILD_FOLDER    built by clang++ with -fprofile-instr-generate -fcoverage-mapping; its tests have written
                            BUILD_FOLDER/profiles/*.profraw
"""
import collections
import json
import pathlib
import subprocess
import sys

LEAST = {"lines": 95, "branches": 90}  # percent of all together
LEAST_OF_A_FOLDER = {"lines": 90, "branches": 90}
LEAST_OF = {"src/outbox": {"branches": 85}}  # at which statement a connection fails differs from run to run
WITHOUT_CODE = {"src/core.cpp"}  # it only includes files of include/

root = pathlib.Path(__file__).resolve().parent.parent
build = pathlib.Path(sys.argv[1]).resolve()
programs = [*build.glob("tests/*_tests"), build / "tests/simulation/simulation",
            build / "src/tool/wechatpay-bonus-commit"]
# A process that is killed may leave half a profile.
subprocess.run(["llvm-profdata", "merge", "--sparse", "--failure-mode=all", f"--output={build}/profile",
                *build.glob("profiles/*.profraw")], check=True)
exported = subprocess.run(["llvm-cov", "export", "--summary-only", f"--instr-profile={build}/profile", programs[0],
                           *(word for program in programs[1:] for word in ("--object", program))],
                          check=True, capture_output=True, text=True).stdout

files = {}
for file in json.loads(exported)["data"][0]["files"]:
    path = pathlib.Path(file["filename"])
    if path.is_relative_to(root / "include") or path.is_relative_to(root / "src"):
        files[path.relative_to(root).as_posix()] = file["summary"]
sources = {path.relative_to(root).as_posix() for path in (root / "src").rglob("*.cpp")}
failures = [f"{source} is in no program whose coverage is measured" for source in sources - files.keys() - WITHOUT_CODE]


def check(name, least, among):
    count, covered = collections.Counter(), collections.Counter()
    for path in among:
        for kind in least:
            count[kind] += files[path][kind]["count"]
            covered[kind] += files[path][kind]["covered"]
    percent = {kind: 100 * covered[kind] / count[kind] if count[kind] > 0 else 100 for kind in least}
    print(f"{name}: " + ", ".join(f"{percent[kind]:.1f} % of the {kind}" for kind in least))
    for kind in least:
        if percent[kind] < least[kind]:
            failures.append(f"{name}: less than {least[kind]} % of the {kind}; the files of which least is covered:")
            worst = sorted((path for path in among if files[path][kind]["count"] > 0),
                           key=lambda path: files[path][kind]["percent"])
            failures.extend(f"  {files[path][kind]['percent']:.1f} % {path}" for path in worst[:10])


folders = collections.defaultdict(list)
for path in sorted(files):
    folders["include" if path.startswith("include/") else path.rsplit("/", 1)[0]].append(path)
for folder, among in folders.items():
    check(folder, {**LEAST_OF_A_FOLDER, **LEAST_OF.get(folder, {})}, among)
check("all", LEAST, list(files))
if failures:
    sys.exit("FAILED:\n" + "\n".join(failures))
