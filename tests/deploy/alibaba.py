"""A root that is Alibaba Cloud Linux 3 as far as a set-up looks: its name, its packager, its repository.

Debian's dnf and rpm do what the distribution's would; the package and the repository are made here. What is not here is
the distribution itself: its own packages, systemd 239, SELinux, its kernel, a TD and a GPU.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from .container import PACKAGES, Container

MORE = f"{PACKAGES},dnf,rpm,createrepo-c"
RELEASE = "Alibaba Cloud Linux release 3 (Soaring Falcon)\n"
OS_RELEASE = """NAME="Alibaba Cloud Linux"
VERSION="3 (Soaring Falcon)"
ID="alinux"
ID_LIKE="rhel fedora centos anolis"
VERSION_ID="3"
PLATFORM_ID="platform:al8"
PRETTY_NAME="Alibaba Cloud Linux 3 (Soaring Falcon)"
"""
QCNL = "# The package's example\nPCCS_URL=https://localhost:8081/sgx/certification/v4/\nUSE_SECURE_CERT=FALSE\n"
SPEC = """Name: libtdx-attest
Version: 1.21
Release: 1
Summary: A stand-in
License: BSD
BuildArch: noarch
%description
A stand-in for the vendor's package, without the library.
%install
mkdir -p %{buildroot}/etc %{buildroot}/usr/share/doc/libtdx-attest
cp /tmp/qcnl %{buildroot}/etc/sgx_default_qcnl.conf
echo none > %{buildroot}/usr/share/doc/libtdx-attest/README
%files
%config(noreplace) /etc/sgx_default_qcnl.conf
/usr/share/doc/libtdx-attest/README
"""


def dress(container: Container) -> None:
    """Make the root of a container, before it is booted, what it is to be."""
    root = container.root
    for name in ("etc/debian_version", "etc/os-release", "usr/lib/os-release", "etc/dnf/vars/none"):
        (root / name).unlink(missing_ok=True)
    (root / "usr/lib/os-release").write_text(OS_RELEASE)
    (root / "etc/os-release").symlink_to("../usr/lib/os-release")
    for name in ("redhat-release", "system-release", "alinux-release"):
        (root / "etc" / name).write_text(RELEASE)
    (root / "usr/bin/yum").unlink(missing_ok=True)
    (root / "usr/bin/yum").symlink_to("dnf")
    (root / "etc/yum.repos.d").mkdir(exist_ok=True)


def repository(container: Container, folder: Path, address: str) -> None:
    """Build the package in the root, and leave in `folder` what the vendor publishes at `address`."""
    root = container.root
    (root / "tmp/qcnl").write_text(QCNL)
    (root / "tmp/package.spec").write_text(SPEC)
    inside = ["chroot", str(root)]
    build = [*inside, "rpmbuild", "-bb", "--define", "_topdir /tmp/rpm", "/tmp/package.spec"]
    subprocess.run(build, check=True, capture_output=True)
    subprocess.run([*inside, "createrepo_c", "/tmp/rpm/RPMS"], check=True, capture_output=True)
    (root / "tmp/rpm/RPMS").rename(folder / "repository")
    listing = f"[enclave-expr]\nname=A stand-in\nbaseurl=https://{address}/repository\nenabled=1\ngpgcheck=0\n"
    (folder / "enclave-expr.repo").write_text(listing)
