"""The steps that only Alibaba Cloud Linux 3 has, on a root that looks like it (alibaba.py says how far that goes)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from . import alibaba
from .conftest import Site, site_of
from .container import missing
from .said import refusal

pytestmark = pytest.mark.deploy

QCNL = "etc/sgx_default_qcnl.conf"
PCCS = "PCCS_URL=https://sgx-dcap-server.cn-beijing.aliyuncs.com/sgx/certification/v4/"


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """With a file in place of the TDX device."""
    if lacking := missing():
        pytest.skip(f"a container needs {lacking}")
    with ExitStack() as stack:
        made = site_of(stack, tmp_path_factory.mktemp("alibaba"), alibaba.MORE, alibaba.dress)
        alibaba.repository(made.host, made.folder / "outside", made.files)
        made.host.run("touch", "/dev/tdx_guest")
        made.variables |= {"deploy_repository": f"https://{made.files}/enclave-expr.repo"}
        yield made


def test_a_kernel_that_does_not_extend_the_register(instance: Site) -> None:
    said = refusal(instance.play(ansible_kernel="5.10.134-16.3.al8.x86_64"))
    assert said.startswith("The kernel 5.10.134-16.3.al8.x86_64 is older than 5.10.134-18.al8: run `yum update kernel`")


def test_a_vendors_repository_that_is_not_reached_leaves_nothing(instance: Site) -> None:
    said = refusal(instance.play(deploy_repository=f"https://{instance.files}/elsewhere.repo"))
    assert said.startswith("libtdx-attest cannot be installed (") and "deploy_repository_network=public" in said
    assert not (instance.host.root / "etc/yum.repos.d/enclave-expr.repo").exists()
    assert not (instance.host.root / QCNL).exists()


def test_its_own_steps_and_no_td(instance: Site) -> None:
    """The library, the region's PCCS with the old file kept, the release; the launch then says that this is no TD."""
    said = refusal(instance.play())
    assert said.startswith("The service does not serve (") and "TDX" in said
    assert instance.host.run("rpm", "-q", "libtdx-attest").stdout.startswith("libtdx-attest-1.21-1")
    lines = (instance.host.root / QCNL).read_text().splitlines()
    assert lines == ["# The package's example", PCCS, "USE_SECURE_CERT=FALSE"]
    kept = list((instance.host.root / "etc").glob("sgx_default_qcnl.conf.*"))
    assert [path.read_text() for path in kept] == [alibaba.QCNL]
    main = instance.host.run("systemctl", "show", "-P", "ExecMainStatus", "open-webui-tdx.service").stdout
    assert main == "5\n", "which is not tried again"
