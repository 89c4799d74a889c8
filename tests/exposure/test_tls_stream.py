import asyncio
import ssl

import pytest

from leadglass.exposure.dialer import ScopedDialer
from leadglass.exposure.service import Service
from leadglass.exposure.streams import Reason, Unreachable
from leadglass.exposure.tls_stream import any_server, wrap
from tests.exposure.test_dialer import scope, soon
