"""tf2_msgs/TFMessage for machines without ROS: generated from its one line with the wheels' own generators and g++."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_TYPE_SUPPORTS = ["rosidl_typesupport_fastrtps_c", "rosidl_typesupport_introspection_c"]
_LIBRARIES = (
    "geometry_msgs__rosidl_generator_c", "geometry_msgs__rosidl_generator_py", "geometry_msgs__rosidl_typesupport_c",
    "geometry_msgs__rosidl_typesupport_fastrtps_c", "geometry_msgs__rosidl_typesupport_introspection_c",
    "rosidl_runtime_c", "rosidl_typesupport_c", "rosidl_typesupport_fastrtps_c", "rosidl_typesupport_fastrtps_cpp",
    "rosidl_typesupport_introspection_c", "fastcdr",
)  # fmt: skip

_LOAD = f"""import ctypes, pathlib
for _name in {_TYPE_SUPPORTS}:
    ctypes.CDLL(str(pathlib.Path(__file__).resolve().parents[1] / f"libtf2_msgs__{{_name}}.so"))
"""


class CannotGenerate(Exception):
    """What is missing, as the reason for a skipped test."""


def generated_tf2_msgs(cache: Path) -> Path:
    """The folder to put on PYTHONPATH; made once per version of the generators and of Python (a few seconds)."""
    try:
        name = f"{version('ros-rosidl-generator-py')}-{version('ros-geometry-msgs')}-{sys.implementation.cache_tag}"
    except PackageNotFoundError as error:
        raise CannotGenerate(
            f"tf2_msgs is not installed, and to generate it the wheel {error.name} is missing: "
            "apt install ros-$ROS_DISTRO-tf2-msgs, or pip install -r requirements/ros-test.txt"
        ) from None
    compiler = shutil.which("g++")
    if compiler is None:
        raise CannotGenerate("tf2_msgs is not installed, and to generate it g++ is missing: apt install ros-$ROS_DISTRO-tf2-msgs, or g++")
    done = cache / name
    if not done.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            _generate(Path(folder), compiler)
            try:
                os.rename(folder, done)  # all at once: another test run may be doing the same
            except OSError:
                if not done.is_dir():
                    raise
            else:
                Path(folder).mkdir()  # for TemporaryDirectory to remove
    return done


def _generate(build: Path, compiler: str) -> None:
    os.environ.setdefault("AMENT_PREFIX_PATH", sys.prefix)
    from rosidl_adapter.msg import convert_msg_to_idl
    from rosidl_generator_c.cli import GenerateC
    from rosidl_generator_py.cli import GeneratePython
    from rosidl_generator_type_description.cli import HashTypeDescription
    from rosidl_typesupport_c.cli import GenerateCTypesupport
    from rosidl_typesupport_fastrtps_c.cli import GenerateFastRTPSCTypesupport
    from rosidl_typesupport_introspection_c.cli import GenerateIntrospectionCTypesupport

    prefix, package = Path(sys.prefix), build / "tf2_msgs"
    (build / "msg").mkdir()
    (build / "msg/TFMessage.msg").write_text("geometry_msgs/TransformStamped[] transforms\n")
    convert_msg_to_idl(build, "tf2_msgs", Path("msg/TFMessage.msg"), build / "msg")
    includes = [str(prefix / "share" / name) for name in ("geometry_msgs", "std_msgs", "builtin_interfaces")]
    given = ("tf2_msgs", [f"{build}:msg/TFMessage.idl"], includes, package)
    hashes = HashTypeDescription("type_description").generate_type_hashes(*given)
    GenerateC("c").generate(*given, hashes)
    GeneratePython("py", typesupport_implementations=["rosidl_typesupport_c"]).generate(*given)
    GenerateFastRTPSCTypesupport("fastrtps_c").generate(*given)
    GenerateIntrospectionCTypesupport("introspection_c").generate(*given)
    GenerateCTypesupport("c", typesupport_implementations=_TYPE_SUPPORTS).generate(*given)
    _compile(package, build, compiler)


def _compile(package: Path, build: Path, compiler: str) -> None:
    import numpy

    prefix = Path(sys.prefix)
    folders = [build, prefix / "include", *(prefix / "include").iterdir(), sysconfig.get_path("include"), numpy.get_include()]
    objects = []
    for source in sorted(p for p in package.rglob("*") if p.suffix in (".c", ".cpp")):
        objects.append(f"{source}.o")
        language = ["-x", "c"] if source.suffix == ".c" else []
        subprocess.run(
            [compiler, "-w", "-fPIC", *(f"-I{folder}" for folder in folders), "-c", *language, str(source), "-o", objects[-1]],
            check=True,
        )
    libraries = [f"-L{prefix / 'lib'}", f"-Wl,-rpath,{prefix / 'lib'}", *(f"-l{name}" for name in _LIBRARIES)]
    shared = [compiler, "-shared", "-Wl,--no-as-needed", "-Wl,-rpath,$ORIGIN", f"-L{build}"]
    subprocess.run([*shared, "-Wl,-soname,libtf2_msgs.so", "-o", str(build / "libtf2_msgs.so"), *objects, *libraries], check=True)
    (package / f"tf2_msgs_s__rosidl_typesupport_c{sysconfig.get_config_var('EXT_SUFFIX')}").symlink_to("../libtf2_msgs.so")
    for name in _TYPE_SUPPORTS:  # looked for by these names; whatever is loaded already is found without a search path
        soname = f"libtf2_msgs__{name}.so"
        subprocess.run([*shared, f"-Wl,-soname,{soname}", "-o", str(build / soname), "-ltf2_msgs"], check=True)
    (package / "__init__.py").write_text(_LOAD)
