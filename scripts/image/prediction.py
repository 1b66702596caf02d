"""What firmware, boot stub and kernel will measure of this image, computed from its files before it ever boots.

RTMR 1 gets what is measured into PCRs 2 to 6 and RTMR 2 what goes into PCRs 8 to 15 (UEFI specification 2.10, section
38.4.1, mapping for Intel TDX). Each register starts with zeros and is extended as SHA-384(old || digest).

RTMR 1, by the firmware (TCG PC Client Platform Firmware Profile 1.06; edk2, SecurityPkg and OvmfPkg):
    EV_EFI_ACTION              "Calling EFI Application from Boot Option"
    EV_SEPARATOR               four zero bytes, where the firmware puts it here and not into RTMR 0
    EV_EFI_GPT_EVENT           UEFI_GPT_DATA of the disk
    EV_EFI_BOOT_SERVICES_APPLICATION   the unified kernel image, then the kernel that its stub starts
    EV_EFI_ACTION              "Exit Boot Services Invocation", "Exit Boot Services Returned with Success"
RTMR 2, by systemd's boot stub (systemd 257, src/boot/stub.c) and then by the kernel (efi/libstub):
    EV_IPL                     name and content of each section of the image, in the stub's order
    EV_EVENT_TAG               the command line (UTF-16LE, with its end), the initrd
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from scripts.image import gpt, pe

SEPARATOR, ACTION, IPL, TAG = 0x4, 0x80000007, 0xD, 0x6
GPT, APPLICATION = 0x80000006, 0x80000003
#: In the order in which the stub measures them (src/fundamental/uki.c); it leaves out .pcrsig.
SECTIONS = (
    ".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb", ".uname", ".sbat", ".pcrpkey", ".profile",
    ".dtbauto", ".hwids",
)  # fmt: skip
CALLING = b"Calling EFI Application from Boot Option"
EXITING = (b"Exit Boot Services Invocation", b"Exit Boot Services Returned with Success")
#: Where firmware puts the separator that ends its own part: Google's and Alibaba Cloud's into RTMR 1, edk2's TDVF as
#: packaged by distributions into RTMR 0.
LAYOUTS = ("separator", "plain")


class Expected(NamedTuple):
    """One event: its type, the SHA-384 that extends the register, and what it is, in words."""

    kind: int
    digest: bytes
    what: str


def _of(kind: int, data: bytes, what: str) -> Expected:
    return Expected(kind, hashlib.sha384(data).digest(), what)


def rtmr_1(kernel_image: bytes, table: gpt.Table, layout: str = LAYOUTS[0]) -> list[Expected]:
    """The events of RTMR 1 for the unified kernel image and the disk's partition table."""
    linux = pe.parse(kernel_image).section(".linux") or b""
    separator = [_of(SEPARATOR, bytes(4), "separator")] if layout == "separator" else []
    return [
        _of(ACTION, CALLING, CALLING.decode()),
        *separator,
        _of(GPT, table.event(), "partition table"),
        Expected(APPLICATION, pe.parse(kernel_image).authenticode(), "unified kernel image"),
        Expected(APPLICATION, pe.parse(linux).authenticode(), "kernel"),
        *(_of(ACTION, text, text.decode()) for text in EXITING),
    ]


def rtmr_2(kernel_image: bytes) -> list[Expected]:
    """The events of RTMR 2 for the unified kernel image."""
    image = pe.parse(kernel_image)
    found: list[Expected] = []
    for name in SECTIONS:
        content = image.section(name)
        if content is not None:
            found += [_of(IPL, name.encode() + b"\0", f"name of {name}"), _of(IPL, content, name)]
    command_line = (image.section(".cmdline") or b"").rstrip(b"\0").decode()
    found.append(_of(TAG, (command_line + "\0").encode("utf-16-le"), "command line"))
    found.append(_of(TAG, image.section(".initrd") or b"", "initrd"))
    return found


def listed(events: Iterable[Expected]) -> list[dict[str, str]]:
    """The events as reference values and the prediction's file name them."""
    return [{"type": f"{item.kind:#x}", "sha384": item.digest.hex(), "what": item.what} for item in events]


def replay(digests: Iterable[bytes]) -> bytes:
    """The register after these extends, from zeros."""
    value = bytes(48)
    for digest in digests:
        value = hashlib.sha384(value + digest).digest()
    return value
