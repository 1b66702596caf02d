"""The one extension module of quote_generator; everything else about the package is in pyproject.toml."""

import os
import platform
import shlex
import shutil
import sysconfig

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CCompilerError

NO_COMPILER = (
    "error: quote_generator needs a C compiler ({} was not found): "
    "install one (`yum install gcc`, `apt install gcc`) or set CC"
)


NOT_HERE = (
    "error: quote_generator is for Intel TDX, which is on Linux on x86-64 only; this is {} on {}. Quotes are judged "
    "anywhere: install quote_verifier for that"
)


def check_machine(system: str, machine: str) -> None:
    """SystemExit, with one sentence, where there can be no TDX."""
    if system != "Linux" or machine not in ("x86_64", "AMD64"):
        raise SystemExit(NOT_HERE.format(system, machine))


class BuildExt(build_ext):
    """Compiles with our flags alone and, where there is no C compiler, says so in one sentence.

    The flags Python itself was built with carry its folder (a library search path) and differ from one Python to the
    next; without them the same sources and compiler give the same bytes anywhere. CC and CFLAGS are honoured.
    """

    def build_extensions(self) -> None:
        """Compile, or leave with one sentence (SystemExit)."""
        check_machine(platform.system(), platform.machine())
        cc = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
        if shutil.which(cc[0]) is None and "CC" not in os.environ:
            cc = ["cc"]
        if shutil.which(cc[0]) is None:
            raise SystemExit(NO_COMPILER.format(cc[0]))
        flags = ["-std=c11", "-DNDEBUG", "-fPIC", "-O2", "-g0", "-Werror=implicit-function-declaration"]
        self.compiler.set_executables(
            compiler_so=[*cc, *flags, *shlex.split(os.environ.get("CFLAGS", ""))],
            linker_so=[*cc, "-shared", "-Wl,--build-id=none", "-Wl,-s", *shlex.split(os.environ.get("LDFLAGS", ""))],
        )
        try:
            super().build_extensions()
        except CCompilerError as error:
            raise SystemExit(f"error: quote_generator does not compile with {cc[0]}: {error}") from None


binding = Extension(
    "quote_generator._binding",
    ["quote_generator/_binding.pyx"],
    include_dirs=["quote_generator"],
    depends=["quote_generator/_abi.h"],
    define_macros=[("Py_LIMITED_API", "0x030B0000")],
    py_limited_api=True,
)

setup(
    ext_modules=cythonize([binding], build_dir="build/cython"),
    cmdclass={"build_ext": BuildExt},
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
