"""Every attack on the web server, in one file: files run side by side, and each would start servers of its own.

The attacks lie in the modules beside this one, by what they are after. Their names hold the advisories' identifiers,
which `docs/advisories.md` lists.
"""

from tests.attacks.administrators import *
from tests.attacks.availability import *
from tests.attacks.channels import *
from tests.attacks.data_of_others import *
from tests.attacks.features import *
from tests.attacks.files_served import *
from tests.attacks.gateway import *
from tests.attacks.logs import *
from tests.attacks.plugins import *
from tests.attacks.requests_inside import *
from tests.attacks.settings import *
from tests.attacks.sockets import *
