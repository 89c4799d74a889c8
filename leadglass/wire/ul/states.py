"""The upper layer's state machine, word for word PS3.8 table 9-10, both roles. Legality is a look-up in `TABLE`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntEnum


class State(IntEnum):
    """PS3.8 tables 9-1 to 9-5."""

    STA1 = 1  # idle
    STA2 = 2  # transport open, awaiting A-ASSOCIATE-RQ
    STA3 = 3  # awaiting local A-ASSOCIATE response
    STA4 = 4  # awaiting transport to open
    STA5 = 5  # awaiting A-ASSOCIATE-AC or -RJ
    STA6 = 6  # established, ready for data
    STA7 = 7  # awaiting A-RELEASE-RP
    STA8 = 8  # awaiting local A-RELEASE response
    STA9 = 9  # release collision, requestor: awaiting local A-RELEASE response
    STA10 = 10  # release collision, acceptor: awaiting A-RELEASE-RP
    STA11 = 11  # release collision, requestor: awaiting A-RELEASE-RP
    STA12 = 12  # release collision, acceptor: awaiting local A-RELEASE response
    STA13 = 13  # awaiting the transport to close


class Evt(IntEnum):
    """PS3.8 table 9-10, rows."""

    EVT1 = 1  # A-ASSOCIATE request (local)
    EVT2 = 2  # transport connection confirmed
    EVT3 = 3  # A-ASSOCIATE-AC received
    EVT4 = 4  # A-ASSOCIATE-RJ received
    EVT5 = 5  # transport connection indication
    EVT6 = 6  # A-ASSOCIATE-RQ received
    EVT7 = 7  # A-ASSOCIATE response, accept (local)
    EVT8 = 8  # A-ASSOCIATE response, reject (local)
    EVT9 = 9  # P-DATA request (local)
    EVT10 = 10  # P-DATA-TF received
    EVT11 = 11  # A-RELEASE request (local)
    EVT12 = 12  # A-RELEASE-RQ received
    EVT13 = 13  # A-RELEASE-RP received
    EVT14 = 14  # A-RELEASE response (local)
    EVT15 = 15  # A-ABORT request (local)
    EVT16 = 16  # A-ABORT received
    EVT17 = 17  # transport closed
    EVT18 = 18  # ARTIM expired
    EVT19 = 19  # unrecognised or invalid PDU


class Action(Enum):
    """PS3.8 tables 9-6 to 9-9."""

    AE_1 = "AE-1"  # open the transport
    AE_2 = "AE-2"  # send A-ASSOCIATE-RQ
    AE_3 = "AE-3"  # confirm: accepted
    AE_4 = "AE-4"  # confirm: rejected, close the transport
    AE_5 = "AE-5"  # transport is open, start ARTIM
    AE_6 = "AE-6"  # stop ARTIM; indicate, or reject as the provider
    AE_7 = "AE-7"  # send A-ASSOCIATE-AC
    AE_8 = "AE-8"  # send A-ASSOCIATE-RJ, start ARTIM
    DT_1 = "DT-1"  # send P-DATA-TF
    DT_2 = "DT-2"  # indicate data
    AR_1 = "AR-1"  # send A-RELEASE-RQ
    AR_2 = "AR-2"  # indicate release
    AR_3 = "AR-3"  # confirm release, close the transport
    AR_4 = "AR-4"  # send A-RELEASE-RP, start ARTIM
    AR_5 = "AR-5"  # stop ARTIM
    AR_6 = "AR-6"  # indicate data while releasing
    AR_7 = "AR-7"  # send P-DATA-TF while the peer releases
    AR_8 = "AR-8"  # indicate release: collision
    AR_9 = "AR-9"  # send A-RELEASE-RP
    AR_10 = "AR-10"  # confirm release
    AA_1 = "AA-1"  # send A-ABORT as the user, (re)start ARTIM
    AA_2 = "AA-2"  # stop ARTIM, close the transport
    AA_3 = "AA-3"  # indicate the peer's abort, close the transport
    AA_4 = "AA-4"  # indicate a provider abort: the transport is gone
    AA_5 = "AA-5"  # stop ARTIM
    AA_6 = "AA-6"  # ignore the PDU
    AA_7 = "AA-7"  # send A-ABORT
    AA_8 = "AA-8"  # send A-ABORT as the provider, indicate it, start ARTIM


# One row per event, one column per state, cells as printed in the standard; "." is a blank cell.
_ROWS = """
       Sta1 Sta2 Sta3 Sta4 Sta5 Sta6 Sta7 Sta8 Sta9 Sta10 Sta11 Sta12 Sta13
Evt1   AE-1 .    .    .    .    .    .    .    .    .     .     .     .
Evt2   .    .    .    AE-2 .    .    .    .    .    .     .     .     .
Evt3   .    AA-1 AA-8 .    AE-3 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8  AA-8  AA-6
Evt4   .    AA-1 AA-8 .    AE-4 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8  AA-8  AA-6
Evt5   AE-5 .    .    .    .    .    .    .    .    .     .     .     .
Evt6   .    AE-6 AA-8 .    AA-8 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8  AA-8  AA-7
Evt7   .    .    AE-7 .    .    .    .    .    .    .     .     .     .
Evt8   .    .    AE-8 .    .    .    .    .    .    .     .     .     .
Evt9   .    .    .    .    .    DT-1 .    AR-7 .    .     .     .     .
Evt10  .    AA-1 AA-8 .    AA-8 DT-2 AR-6 AA-8 AA-8 AA-8  AA-8  AA-8  AA-6
Evt11  .    .    .    .    .    AR-1 .    .    .    .     .     .     .
Evt12  .    AA-1 AA-8 .    AA-8 AR-2 AR-8 AA-8 AA-8 AA-8  AA-8  AA-8  AA-6
Evt13  .    AA-1 AA-8 .    AA-8 AA-8 AR-3 AA-8 AA-8 AR-10 AR-3  AA-8  AA-6
Evt14  .    .    .    .    .    .    .    AR-4 AR-9 .     .     AR-4  .
Evt15  .    .    AA-1 AA-2 AA-1 AA-1 AA-1 AA-1 AA-1 AA-1  AA-1  AA-1  .
Evt16  .    AA-2 AA-3 .    AA-3 AA-3 AA-3 AA-3 AA-3 AA-3  AA-3  AA-3  AA-2
Evt17  .    AA-5 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4  AA-4  AA-4  AR-5
Evt18  .    AA-2 .    .    .    .    .    .    .    .     .     .     AA-2
Evt19  .    AA-1 AA-8 .    AA-8 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8  AA-8  AA-7
"""


def _read_rows() -> dict[tuple[State, Evt], Action]:
    header, *rows = (line.split() for line in _ROWS.strip().splitlines())
    states = [State[name.upper()] for name in header]
    return {
        (state, Evt[row[0].upper()]): Action(cell)
        for row in rows
        for state, cell in zip(states, row[1:], strict=True)
        if cell != "."
    }


TABLE: Mapping[tuple[State, Evt], Action] = _read_rows()
