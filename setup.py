"""The one extension module of quote_generator; everything else about the package is in pyproject.toml."""

import shlex
import shutil

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CCompilerError

NO_COMPILER = "error: quote_generator needs a C compiler ({why}): install one (`yum install gcc`, `apt install gcc`) or set CC"


class BuildExt(build_ext):
    """Says in one sentence that the C compiler is missing, instead of a traceback."""

    def build_extensions(self) -> None:
        command = getattr(self.compiler, "compiler_so", None) or ["cc"]
        program = shlex.split(command)[0] if isinstance(command, str) else command[0]
        if shutil.which(program) is None:
            raise SystemExit(NO_COMPILER.format(why=f"{program} was not found"))
        try:
            super().build_extensions()
        except CCompilerError as error:
            raise SystemExit(f"error: the extension of quote_generator does not compile with {program}: {error}") from None


binding = Extension(
    "quote_generator._binding",
    ["quote_generator/_binding.pyx"],
    include_dirs=["quote_generator"],
    depends=["quote_generator/_abi.h"],
    define_macros=[("Py_LIMITED_API", "0x030B0000")],
    py_limited_api=True,
    # -g0 and no build id: the same sources give the same bytes in any folder.
    extra_compile_args=["-std=c11", "-O2", "-g0", "-Werror=implicit-function-declaration"],
    extra_link_args=["-Wl,--build-id=none", "-Wl,-s"],
)

setup(
    ext_modules=cythonize([binding], build_dir="build/cython"),
    cmdclass={"build_ext": BuildExt},
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
