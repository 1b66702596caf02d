"""`make instance`: the call that makes the documented instance, printed and not run; every value is checked."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from scripts.errors import UsageError

SMALLEST = 4
"""ecs.gn8v-tee.4xlarge is the smallest that is documented for this."""
MODEL_GB = {"deepseek-r1:70b": 43, "deepseek-r1:671b": 404}
DEFAULTS = {
    "REGION": "cn-beijing",
    "ZONE": "cn-beijing-l",
    "INSTANCE_TYPE": "ecs.gn8v-tee.4xlarge",
    "MODEL": "deepseek-r1:70b",
    "INSTANCE_NAME": "open-webui-tdx",
}
# What only the operator's account has.
NEEDED = {
    "IMAGE_ID": (r"[A-Za-z0-9_.-]{3,120}", "the Alibaba Cloud Linux 3 image (UEFI) that the vendor documents for TDX"),
    "KEY_PAIR": (r"[A-Za-z][A-Za-z0-9_:-]{1,127}", "the key pair to log in with"),
    "SECURITY_GROUP": (r"sg-[a-z0-9]+", "the security group, which opens the service's port"),
    "VSWITCH": (r"vsw-[a-z0-9]+", "the vSwitch in that zone"),
}  # fmt: skip


@dataclass(frozen=True)
class Call:
    """The command, and what a person has to know of it."""

    command: tuple[str, ...]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        pairs = [self.command[:3], *zip(self.command[3::2], self.command[4::2], strict=True)]
        lines = " \\\n  ".join(" ".join(map(shlex.quote, pair)) for pair in pairs)
        return "\n".join([lines, *(f"# {note}" for note in self.notes)])


def plan(settings: Mapping[str, str]) -> Call:
    """The call for these variables. Raises UsageError for the first that is missing or will not do."""
    values = {name: settings.get(name) or default for name, default in DEFAULTS.items()}
    for name, (pattern, what) in NEEDED.items():
        value = settings.get(name) or ""
        if not re.fullmatch(pattern, value):
            raise UsageError(f"{name}={value} does not name {what}; set it: make instance {name}=...")
        values[name] = value
    _check_type(values["INSTANCE_TYPE"])
    if not re.fullmatch(r"[a-z]{2,3}(-[a-z]+)+(-\d+)?", values["REGION"]):
        raise UsageError(f"REGION={values['REGION']} is no region's name, such as cn-beijing.")
    if not re.fullmatch(re.escape(values["REGION"]) + r"-[a-z]", values["ZONE"]):
        raise UsageError(f"ZONE={values['ZONE']} is no zone of {values['REGION']}, such as {values['REGION']}-l.")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_:.-]{1,127}", values["INSTANCE_NAME"]):
        raise UsageError(f"INSTANCE_NAME={values['INSTANCE_NAME']} is no name: letters, digits and . _ : -, 2 to 128.")
    disk = _disk(settings.get("DISK_GB") or "", values["MODEL"])
    return Call(_command(values, disk), _notes(values["MODEL"], disk))


def _check_type(kind: str) -> None:
    found = re.fullmatch(r"ecs\.gn8v-tee\.([0-9]{1,3})xlarge", kind)
    if not found or int(found[1]) < SMALLEST:
        raise UsageError(f"INSTANCE_TYPE={kind} is not ecs.gn8v-tee.{SMALLEST}xlarge or a larger one of its family.")


def _disk(wanted: str, model: str) -> int:
    """GB of the system disk: two to three times the model, and at least 100."""
    if model not in MODEL_GB and not wanted:
        raise UsageError(f"How large MODEL={model} is, is not known here: set DISK_GB= to two or three times its size.")
    least = max(100, 2 * MODEL_GB.get(model, 0))
    if not wanted:
        return max(100, 3 * MODEL_GB[model])
    if not re.fullmatch(r"[0-9]{1,5}", wanted) or not least <= int(wanted) <= 32768:
        raise UsageError(f"DISK_GB={wanted} is not from {least} (twice {model}) to 32768.")
    return int(wanted)


def _command(values: Mapping[str, str], disk: int) -> tuple[str, ...]:
    options = {
        "RegionId": values["REGION"],
        "ZoneId": values["ZONE"],
        "InstanceType": values["INSTANCE_TYPE"],
        "ImageId": values["IMAGE_ID"],
        "InstanceName": values["INSTANCE_NAME"],
        "KeyPairName": values["KEY_PAIR"],
        "SecurityGroupId": values["SECURITY_GROUP"],
        "VSwitchId": values["VSWITCH"],
        "SystemDisk.Category": "cloud_essd",
        "SystemDisk.Size": str(disk),
        "SecurityOptions.ConfidentialComputingMode": "TDX",
        "Amount": "1",
    }
    return (
        "aliyun",
        "ecs",
        "RunInstances",
        *(word for name, value in options.items() for word in (f"--{name}", value)),
    )


def _notes(model: str, disk: int) -> tuple[str, ...]:
    return (
        "This was printed, not run: it costs money from the moment that it succeeds.",
        "Where the instance has 8 GPUs, bind no second elastic network interface: the vendor warns against it.",
        f"The system disk of {disk} GB holds {model} and what is fetched of it before it is whole.",
        "Then: make deploy HOST=root@ADDRESS VARS=...",
    )
