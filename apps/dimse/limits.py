"""What a peer may cost us: sizes in bytes, times in seconds."""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The listener's limits. Times are absolute unless called idle: dripping does not help."""

    associate_pdu: int = 256 * KIB
    max_pdu: int = 128 * KIB  # announced in A-ASSOCIATE-AC (PS3.8 D.1)
    command_set: int = 64 * KIB
    identifier: int = 8 * MIB
    object: int = 8 * 1024 * MIB
    nesting: int = 64

    handshake_seconds: float = 15
    pdu_seconds: float = 30
    object_seconds: float = 600
    idle_seconds: float = 60
    send_seconds: float = 30
    linger_seconds: float = 2  # after our last words, for the peer to hang up
    stop_seconds: float = 10  # for running transfers when the listener is stopped
    indexing_seconds: float = 20  # how long a release waits for its files to be indexed

    # Connections of one process that are not let in yet: silent, shaking hands, rejected.
    pending: int = 64
    associations: int = 200  # of all processes of the machine, as the next two
    reserved: int = 20  # of these, for devices that have no association yet
    associations_per_address: int = 50


DEFAULT_LIMITS = Limits()
