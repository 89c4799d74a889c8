"""Bounds on what a peer may make us do. Each is a named constant with its reason; leniency never lifts one."""

from __future__ import annotations

KIB = 1024
MIB = 1024 * KIB

# --- association (PS3.8) ---
MAX_PDU_LENGTH = 256 * KIB  # offered to peers: five P-DATA-TF hold a CT slice; one buffer of this size per association
MAX_ASSOCIATE_PDU_LENGTH = 256 * KIB  # 128 contexts with long syntax lists: below 64 KiB; user identity as much again
MAX_PRESENTATION_CONTEXTS = 128  # odd identifiers 1..255 (PS3.8 9.3.2.2)
MAX_TRANSFER_SYNTAXES_PER_CONTEXT = 128  # more than the standard registers
MAX_USER_IDENTITY_FIELD = 16 * KIB  # a large SAML assertion or JWT; longer ones are refused, not stored
ARTIM_SECONDS = 15.0  # PS3.8 9.1.5: time for a peer to send its request or to close
PDU_DEADLINE_SECONDS = 30.0  # absolute, from a PDU's first byte to its last: a dripping peer is cut off
MESSAGE_MINIMUM_RATE = 2 * KIB  # bytes/s averaged over a message after MESSAGE_GRACE_SECONDS
MESSAGE_GRACE_SECONDS = 60.0  # before the minimum rate is asked for: modalities that acquire while they send
IDLE_TIMEOUT_SECONDS = 30 * 60.0  # between messages: ultrasound keeps one association for an examination

# --- DIMSE (PS3.7) ---
MAX_COMMAND_SET_LENGTH = 64 * KIB  # a Failed SOP Instance UID List is in the data set, so commands are short
MAX_IDENTIFIER_LENGTH = 16 * MIB  # a C-FIND/C-MOVE identifier: a list of 100,000 UIDs is 6.5 MB

# --- data sets (PS3.5) ---
MAX_HEADER_BYTES = 16 * MIB  # everything before pixel data that the scan may look at
MAX_NESTING = 64  # sequences within sequences; structured reports stay below 20
MAX_ELEMENTS = 1_000_000  # elements in one data set, nested ones included
MAX_ITEMS = 500_000  # items in one data set: an enhanced CT of 100,000 frames has one per frame and macro
MAX_FRAGMENTS = 2_000_000  # encapsulated pixel data fragments
MAX_INDEXED_VALUE = 64 * KIB  # a longer value of an indexed attribute is kept in the object, not in the catalog
MAX_INFLATED_HEADER = 32 * MIB  # what a deflated data set may inflate to while its header is looked for
MAX_INFLATED_FREELY = 64 * MIB  # any deflated data set may grow to this; beyond, only by MAX_INFLATION_RATIO
MAX_INFLATION_RATIO = 100  # bytes out per byte in: images deflate 2 to 10 times, a bomb 1,000 times
MAX_UID_LENGTH = 64  # PS3.5 9.1

# --- DICOM JSON and XML (PS3.18 annex F, PS3.19 A.1) ---
MAX_MODEL_HEADER = 32 * MIB  # header bytes that one instance's metadata are made from: an image of 20,000 frames
MAX_INLINE_VALUE = 64 * KIB  # a longer value, whatever its VR, is bulk data
MAX_MODEL_DOCUMENT = 64 * MIB  # metadata that are read: those of a large STOW request without its bulk data
MAX_MODEL_VALUES = 4_000_000  # values, objects and lists in such a document: each costs some 60 bytes when read
MAX_RESOLVED_BULK = 256 * MIB  # bulk data below the outermost level, which is held in memory

# --- bodies of requests (RFC 2046, RFC 9110) ---
MAX_BOUNDARY = 128  # characters; RFC 2046 5.1.1 has 70, and Orthanc (DICOMweb plugin 1.7) sends 73
MAX_PART_HEADER = 16 * KIB  # bytes of one part's header: clients send under 500
MAX_PARTS = 100_000  # parts of one request: more instances than any study has
MAX_PREAMBLE = 4 * KIB  # bytes before the first boundary, which are ignored
MAX_BODY = 64 * 1024 * MIB  # one request, unless the configuration says otherwise: a month of a small practice
MAX_INSTANCE = 16 * 1024 * MIB  # one instance in it, likewise: a whole slide image has some GB
MAX_UPLOAD_MEMORY = 128 * MIB  # metadata and bulk data that wait for one another, all requests of a process together
BODY_IDLE_SECONDS = 30.0  # without a byte of a body that was announced
BODY_GRACE_SECONDS = 30.0  # of waiting for a body, before the minimum rate is asked for
BODY_MINIMUM_RATE = 2 * KIB  # bytes/s averaged over a body: a poor line has ten times as much

# --- storage ---
CHUNK_SIZE = 64 * KIB  # plaintext of one AES-GCM chunk
SMALL_RECORD = 8 * MIB  # up to here an instance is appended whole to a shared segment; above it gets its own
SEGMENT_SIZE = 128 * MIB  # preallocated; a shared segment is sealed when it is full
INGEST_BUFFER_BUDGET = 96 * MIB  # ciphertext waiting in memory, all associations together
INGEST_BUFFER_WAIT_SECONDS = 20.0  # back-pressure before 0xA700
MAX_UNREAD_VERSIONS = 20_000  # other contents of known SOP Instance UIDs that nobody has looked at yet: weeks of
MAX_UNREAD_VERSION_BYTES = 64 * 1024 * MIB  # corrected re-sends, and no way to fill a disk under known UIDs

READ_AHEAD = (
    2 * MIB
)  # decrypted before a receiver asks for it: three CT slices; it and what is being sent, per receiver

# --- queries ---
DEFAULT_QUERY_LIMIT = 10_000  # answers to one query unless the device says otherwise
MAX_UID_LIST = 100_000  # UIDs in one key
PENDING_INTERVAL_SECONDS = 5.0  # a C-MOVE pending answer at least this often
CONNECT_TIMEOUT_SECONDS = 25.0  # an unreachable destination is reported within 30 s

# --- files handed to `import` ---
MAX_ZIP_ENTRIES = 200_000  # a year's studies of a small practice on one medium; more are given as several ZIPs
MAX_ZIP_DIRECTORY = 200 * MAX_ZIP_ENTRIES  # bytes: an entry has 46 and its name

# --- programs (tokens) ---
MAX_BEARER_LENGTH = 16 * KIB  # a JWT with many groups has 4 KiB; servers bound a header at 16 KiB or less
MAX_REACH_ENTRIES = 10_000  # studies and patients of one token, and grants to one principal

# --- connections ---
MAX_ASSOCIATIONS = 256  # in all
RESERVED_FOR_DEVICES = 64  # of which only callers from an enrolled device's networks may take these
MAX_UNKNOWN_PER_ADDRESS = 16  # connections of one address before its device is known

# --- decoding pixels (in the sandbox) ---
MAX_FRAME_BYTES = 256 * MIB  # one decoded frame: a 16-bit mammogram has 60 MB, a whole slide is tiled
MAX_NATIVE_PIXEL_BYTES = 0xFFFFFFFE  # a native value has a length of 32 bits (PS3.5 7.1.1)
SANDBOX_ADDRESS_SPACE = 3 * 1024 * MIB  # OpenJPEG wants up to 4 bytes per sample beside input and output
SANDBOX_CPU_SECONDS = 3600  # a worker whose parent is gone ends by itself
SANDBOX_FRAME_SECONDS = 60.0  # one frame of MAX_FRAME_BYTES decodes in under 20 s on a slow core
SANDBOX_START_SECONDS = 60.0  # a fresh interpreter is ready in under 2 s on an idle machine
SANDBOX_WAIT_SECONDS = 120.0  # for a decoder to become free

# --- pictures (rendered in the sandbox) ---
MAX_PICTURE_SIDE = 16_384  # columns or rows of a picture: twice the largest screens; a whole slide is asked by regions
MAX_PICTURE_PIXELS = 64 * MIB  # of one picture
MAX_CINE_FRAMES = 2_000  # of one animation: over a minute of ultrasound
MAX_CINE_PIXELS = 256 * MIB  # of all its frames together, as they leave: the worker holds them
MAX_CINE_BYTES = 1024 * MIB  # native bytes that one animation is made of
MAX_LUT_ENTRIES = 65_536  # a descriptor's number of entries has 16 bits, 0 for this (PS3.3 C.11.1.1.1)
MAX_PICTURE_ATTRIBUTES = 16 * MIB  # of values kept of one header to show it by: frames' windows, lookup tables
MAX_OVERLAYS = 16  # groups 6000 to 601E
LEASE_IDLE_SECONDS = 5.0  # a worker waits so long for the next image of its principal and study
LEASE_SECONDS = 300.0  # and serves them so long at most: what it may have learnt goes with it
MAX_IDLE_LEASES = 4  # workers that wait, a process: each has some 55 MB
PICTURE_WAIT_SECONDS = 30.0  # for a worker to become free, before the client is told to come again
PICTURE_CACHE_BYTES = 32 * MIB  # rendered pictures in memory, a process
PICTURE_FACTS_BYTES = 8 * MIB  # what was read of headers to make them, a process
