"""`make instance`: the printed call, and each value that will not do."""

from __future__ import annotations

import pytest

from scripts.errors import UsageError
from scripts.machine.instance import plan

GOOD = {"IMAGE_ID": "aliyun_3_x64_20G.vhd", "KEY_PAIR": "ops", "SECURITY_GROUP": "sg-1a", "VSWITCH": "vsw-2b"}


def test_the_documented_instance() -> None:
    command = plan(GOOD).command
    assert command[:3] == ("aliyun", "ecs", "RunInstances")
    pairs = dict(zip(command[3::2], command[4::2], strict=True))
    assert pairs["--RegionId"] == "cn-beijing" and pairs["--ZoneId"] == "cn-beijing-l"
    assert pairs["--InstanceType"] == "ecs.gn8v-tee.4xlarge"
    assert 2 * 43 <= int(pairs["--SystemDisk.Size"]) <= 3 * 43
    assert "second elastic network interface" in str(plan(GOOD))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"IMAGE_ID": ""}, "IMAGE_ID= does not name"),
        ({"SECURITY_GROUP": "default"}, "SECURITY_GROUP=default does not name"),
        ({"INSTANCE_TYPE": "ecs.g8i.xlarge"}, "is not ecs.gn8v-tee.4xlarge or a larger one"),
        ({"INSTANCE_TYPE": "ecs.gn8v-tee.2xlarge"}, "is not ecs.gn8v-tee.4xlarge or a larger one"),
        ({"ZONE": "cn-shanghai-l"}, "is no zone of cn-beijing"),
        ({"REGION": "x; rm"}, "is no region's name"),
        ({"DISK_GB": "40"}, "is not from 100"),
        ({"MODEL": "deepseek-r1:671b", "DISK_GB": "500"}, "is not from 808"),
        ({"MODEL": "mine"}, "set DISK_GB="),
        ({"INSTANCE_NAME": "$(x)"}, "is no name"),
    ],
)
def test_what_will_not_do(changed: dict[str, str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence.replace("$", r"\$")):
        plan(GOOD | changed)
