"""Nothing but `curvox.files` opens a file for writing, renames one, or locks one."""

import ast
from collections.abc import Iterator
from pathlib import Path

import curvox

SOURCE = Path(curvox.__file__).parent
# The module, what it calls, and why it may.
ALLOWED = {
    ("files.py", "*"): "the home of writing",
    ("bench/workers.py", "open"): "a log that grows, handed to a process",
    ("testing/dummies.py", "write"): "made-up recordings for tests",
    ("testing/voices.py", "write"): "recordings in a folder that is written whole",
    ("testing/espeak.py", "*"): "a temporary folder that the synthesiser reads",
}
WRITING = {
    *("write_text", "write_bytes", "touch", "rename", "replace", "renames", "link", "symlink", "symlink_to", "mkstemp"),
    *("mkdtemp", "flock", "lockf", "copyfile", "copy", "copy2", "copytree", "move", "NamedTemporaryFile", "tofile"),
    *("save", "savez", "savez_compressed", "savetxt", "save_file", "to_csv", "hardlink_to", "TemporaryFile"),
}
# A method of this name is another thing on anything but a module or a path.
OF_MODULES = {
    "replace": {"os"},
    "rename": {"os"},
    "copy": {"shutil"},
    "move": {"shutil"},
    "link": {"os"},
    "save": {"np", "numpy", "torch"},
}
# What stands for bytes in memory, or a file that `whole_file` has opened, when it is the first argument.
OPEN_FILES = {"file", "stream", "content"}
INTO_OPEN_FILES = {"open", "write", "save", "savez", "savez_compressed"}
PATHS = {"path", "fresh", "partial", "target", "work", "folder", "file", "temporary"}


def writing_calls(tree: ast.AST) -> Iterator[str]:
    """Yield the names of calls that write, rename, copy or lock a file."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        function, owner = call.func, ""
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
            owner = function.value.id
        first = call.args[0].id if call.args and isinstance(call.args[0], ast.Name) else ""
        is_open = (first in OPEN_FILES and owner != "") or any(word.arg == "fileobj" for word in call.keywords)
        if name in INTO_OPEN_FILES and is_open:
            continue
        is_path = owner in PATHS or owner.endswith(("_path", "_folder"))
        if (
            (name in ("open", "fdopen") and opens_for_writing(call))
            or (name == "write" and owner in ("soundfile", "sf"))
            or (name in WRITING and name not in OF_MODULES)
            or owner in OF_MODULES.get(name, set())
            or (name in ("replace", "rename") and is_path and len(call.args) == 1)
        ):
            yield name


def opens_for_writing(call: ast.Call) -> bool:
    modes = [word.value for word in call.keywords if word.arg == "mode"]
    modes += [one for one in call.args[:2] if isinstance(one, ast.Constant) and set(str(one.value)) <= set("rwaxbt+")]
    return any(not isinstance(one, ast.Constant) or set(str(one.value)) & set("wax+") for one in modes)


def test_writing__has_one_home() -> None:
    found = {
        (path.relative_to(SOURCE).as_posix(), name)
        for path in SOURCE.rglob("*.py")
        for name in writing_calls(ast.parse(path.read_text(encoding="utf-8")))
    }
    allowed = {one for one in found if one in ALLOWED or (one[0], "*") in ALLOWED}
    assert found - allowed == set(), "write through curvox.files, or say here why not"
    unused = {(module, name) for module, name in ALLOWED if name != "*"} - found
    assert unused == set(), "these exceptions are not needed any more"


def test_writing__is_seen_in_all_its_forms() -> None:
    forms = {
        "path.open('wb')": "open",
        "open(path, 'a')": "open",
        "open(path, mode=mode)": "open",
        "os.replace(a, b)": "replace",
        "fresh.replace(path)": "replace",
        "folder.write_text(text)": "write_text",
        "np.save(path, x)": "save",
        "soundfile.write(path, x, 8000)": "write",
        "fcntl.flock(handle, 2)": "flock",
        "open(file, 'w')": "open",
    }
    for text, name in forms.items():
        assert list(writing_calls(ast.parse(text))) == [name], text
    for text in (
        "path.open()",
        "open(path)",
        "text.replace('a', 'b')",
        "replace(record, seed=1)",
        "path.open('rb')",
        "np.save(file, x)",
    ):
        assert list(writing_calls(ast.parse(text))) == [], text
