"""Every dialect option of the emulated module, with the default of an A7670E of the M109 era.

Options exist where sources disagree about what modules say, or where a fault is worth
playing. A Profile is immutable; a running module gets another one with ``set_profile``.
Times are seconds, sizes are bytes, speeds are bits a second.
"""

from dataclasses import dataclass
from typing import Final, Literal

#: Rates that ``AT+IPR`` takes (manual 2.2.35; 1842000 is spelled like that).
BAUDRATES: Final = (
    300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600,
    115200, 230400, 460800, 921600, 1842000, 3000000, 3686400,
)  # fmt: skip

Banner = tuple[tuple[float, str], ...]

_BANNER: Final[Banner] = (
    (0.0, "*ATREADY: 1"),
    (0.2, "+CPIN: {sim}"),
    (0.3, "SMS DONE"),
    (0.4, "+CGEV: EPS PDN ACT 1"),
    (2.0, "PB DONE"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What this module is like; see the comment of each field."""

    # -- the line --
    baudrate: int = 115200  # the rate after every boot, until AT+IPR or AT+IPREX
    command_latency_s: float = 0.0  # from the last byte of a command or payload to its reply
    prompt_latency_s: float | None = None  # the same for '>' (None: command_latency_s)
    slow_commands: Banner = ()  # seconds:NAME pairs, more latency for one: 0.5:+CIPCLOSE
    prompt_text: str = "\r\n>"  # also seen: "\r\n> " and a bare ">"
    trailer: Literal["\r\n", "\r\n\r\n"] = "\r\n"  # between payload and OK of a read
    boot_echo: bool = True  # ATE after a boot
    err_mode: int = 1  # CIPCCFG errMode at boot: 1 words, 0 numbers in +IP ERROR
    error_case: Literal["table", "lower"] = "table"  # case of the words in +IP ERROR
    cmee: int = 2  # AT+CMEE at boot
    overlap: Literal["queue", "drop", "error"] = "queue"  # input during a command
    max_line: int = 3071  # characters after AT; more is ERROR
    entry_timeout_reply: str = "ERROR"  # said when data entry gives up
    wrong_speed: Literal["garble", "ignore"] = "garble"  # bytes at another speed than ours
    catr: int = 0  # AT+CATR at boot: 0 URCs on all ports, 1 UART, 2 second port, 3 first USB
    usb: bool = False  # a USB device: its node vanishes with the power and comes back
    usb_delay_s: float = 9.0  # from the end of boot_delay_s until the node is back
    autobaud: bool = False  # AT+IPR=0 at boot: takes the DTE's speed from its first AT
    csclk: int = 0  # AT+CSCLK at boot; 2: the first bytes after some silence only wake it up
    sleep_idle_s: float = 5.0  # that silence
    urc_everywhere: tuple[str, ...] = ()  # lines put at line boundaries, in turn
    urc_everywhere_p: float = 1.0  # how likely at each boundary
    urc_places: tuple[str, ...] = ("line", "prompt", "entry", "payload")  # before which
    data_urcs: Literal["edge", "every", "none"] = "edge"  # when +CIPRXGET: 1,l is said
    data_urc_loss: float = 0.0  # probability that one of them is not said
    close_urc_loss: float = 0.0  # probability that an +IPCLOSE is not said
    ghost_urc_p: float = 0.0  # probability of another link's hint before a read's header

    # -- start, SIM, registration --
    boot_delay_s: float = 3.0  # silence before the banner
    boot_noise: bytes = b"\x00"  # bytes on the line before the banner
    banner: Banner = _BANNER  # (seconds after the silence, line); {sim} is the SIM state
    sim: Literal["READY", "SIM PIN", "SIM PUK", "NOT INSERTED"] = "READY"  # at power-up
    pin: str = "1234"  # what opens a SIM in state "SIM PIN"
    puk: str = "12345678"  # what opens a SIM in state "SIM PUK"
    pin_attempts: int = 3  # wrong ones before the SIM asks for its PUK
    pin_delay_s: float = 0.0  # before a PIN is answered
    registration_delay_s: float = 0.0  # from READY to registered, stat 2 meanwhile
    reregistration_delay_s: float | None = None  # the same after CFUN=1 or CGATT=1 (None: same)
    cfun_off_urcs: tuple[str, ...] = ()  # said when CFUN leaves 1: +SIMCARD: NOT AVAILABLE
    cfun_on_banner: Banner = ()  # said when CFUN is 1 again: 0:+CPIN: READY;1:PB DONE
    cgev: bool = False  # +CGEV lines for attach and detach, also without AT+CGEREP
    creg: int = 1  # circuit-switched stat once registered; may differ from the others
    cgreg: int = 1  # packet stat
    cereg: int = 1  # LTE stat
    csq: int = 22  # signal quality 0-31, 99 unknown
    csq_ber: int = 0  # second field of CSQ
    operator: str = "Emulated"  # COPS?
    address: str = "10.84.17.161"  # CGPADDR and IPADDR
    address6: str = "2001:db8:64d8::1"  # IPADDR with CSOCKSETPN=1,6
    ping_answered: bool = True  # False: every CPING times out
    cgpaddr_quoted: bool = False  # "10.84.17.161" in quotes
    apn: str = "internet"  # CGDCONT 1 from the factory
    manufacturer: str = "INCORPORATED"  # CGMI
    model: str = "A7670E-FASE"  # CGMM
    firmware: str = "A7670M7_V1.11.1"  # CGMR
    build: str = "A131B04A7670M6C"  # SIMCOMATI
    imei: str = "869000000000018"  # CGSN
    iccid: str = "89860000000000000018"  # CICCID
    imsi: str = "001010000000018"  # CIMI

    # -- network --
    sockets_present: bool = True  # False: firmware that answers ERROR to all socket commands
    netopen_delay_s: float = 0.0  # from OK to +NETOPEN
    netopen_result_before_ok: bool = False  # +NETOPEN: 0 first, then OK
    netopen_fail_first: int = 0  # that many NETOPENs of this boot fail ...
    netopen_fail_code: int | None = 1  # ... with this result; None is a bare ERROR
    netopen_reboots: bool = False  # fw A011B12A7670M7
    netopen_mute: bool = False  # OK and then nothing, ever
    already_open: str = "Network is already opened"  # +IP ERROR text
    netclose_delay_s: float = 0.0  # from OK to +NETCLOSE
    netclose_closed_form: Literal["tagged", "text"] = "tagged"  # "+NETCLOSE: 2" | IP ERROR
    netopen_after_loss: int = 0  # what NETOPEN? says after CIPEVENT
    rxget_survives_netclose: bool = True  # CIPRXGET mode after NETCLOSE

    # -- links --
    link_count: int = 10  # numbers 0 to link_count-1; SIM767XX has 4
    open_result: Literal["after_ok", "before_ok"] = "after_ok"  # order of OK and +CIPOPEN
    open_delay_s: float = 0.0  # at least, from OK to +CIPOPEN
    refused_err: int = 4  # <err> when the far side refuses
    close_result: Literal["after_ok", "before_ok"] = "after_ok"  # order of OK and +CIPCLOSE
    close_delay_s: float = 0.0  # from OK to +CIPCLOSE
    close_while_opening: Literal["abort", "error"] = "abort"  # CIPCLOSE before the result
    close_frees: Literal["with_result", "at_once"] = "with_result"  # when CIPCLOSE does
    keep_data_after_close: bool = True  # unread data can be read after +IPCLOSE
    reset_discards_data: bool = False  # ... but not after a far RST
    stale_data_after_reuse: bool = False  # what was left unread shows up in the next use
    closed_link_query: Literal["zero", "error"] = "zero"  # CIPRXGET=4 on a closed link
    receive_buffer_bytes: int = 64240  # per link; when full the far side is not read
    second_stage_bytes: int = 0  # part of it that a read does not see at once
    second_stage_delay_s: float = 0.02  # from "rest 0" to the refill
    second_stage_urc: bool = True  # the refill says +CIPRXGET: 1,l
    short_reads: int = 0  # at most that many bytes in one read (0: no such limit)
    max_read: int = 1500  # CIPRXGET=2,l,n takes n up to this
    read_gap_s: float = 0.0  # between the payload of a read and its OK
    send_result_before_ok: bool = False  # +CIPSEND first, then OK
    send_result_delay_s: float = 0.0  # from OK to +CIPSEND
    send_buffer_bytes: int = 64240  # per link, unacknowledged bytes included
    send_full: Literal["busy", "busy_text", "short", "wait"] = "busy"  # when it is full
    send_on_dead: Literal["minus_one", "error"] = "minus_one"  # link closed in data entry
    short_send_link: Literal["continue", "dead"] = "continue"  # after cnf < req
    busy_scope: Literal["link", "global"] = "link"  # a pending +CIPSEND makes whom busy
    busy_probability: float = 0.0  # that a send is answered busy for no reason to be seen
    busy_link: int | None = None  # every send on this link is answered busy
    wan_rate_bytes_s: float = 0.0  # each direction, all links together (0: no limit)
    wan_latency_s: float = 0.0  # one way
    unacked_close_s: float = 0.0  # nothing acknowledged that long: +IPCLOSE: l,2 (0: never)

    # -- UDP --
    udp_open_result: Literal["before_ok", "after_ok"] = "before_ok"  # +CIPOPEN and OK
    udp_close_result: Literal["before_ok", "after_ok"] = "before_ok"  # +CIPCLOSE and OK
    udp_names: Literal["taken", "wrong", "error"] = "taken"  # wrong: +CIPERROR: 3
    udp_package: Literal["kept", "merged"] = "kept"  # merged: package mode has no effect
    udp_surplus: Literal["lost", "kept"] = "lost"  # of a read shorter than its datagram
    udp_rest: Literal["all", "datagram"] = "all"  # what rest and CIPRXGET=4 count by package
    udp_loss: float = 0.0  # probability that the network loses a datagram, each way
    udp_lost_above_bytes: int = 1500  # longer datagrams vanish in the network
    udp_buffer_bytes: int = 16384  # per link; what comes when it is full is dropped

    # -- servers --
    server_count: int = 4  # indices 0 to server_count-1; SIM767XX has 2
    server_backlog: Literal["taken", "wrong", "unknown"] = "taken"  # unknown: ERROR
    server_full: Literal["refuse", "queue"] = "refuse"  # a client when all numbers are used
    accept_link: Literal["lowest", "highest"] = "lowest"  # which free number a client gets
    client_urc_delay_s: float = 0.0  # from the accept to +CLIENT
    client_urc_loss: float = 0.0  # probability that a +CLIENT is not said
    serverstop_result: Literal["before_ok", "after_ok"] = "before_ok"  # both are documented

    # -- transparent mode --
    connect_text: str = "CONNECT {rate}"  # also seen: CONNECT
    transparent_ipclose: bool = False  # +IPCLOSE: 0,1 after CLOSED
    transparent_recv_from: bool = False  # RECV FROM: lines in the data, but for CIPSRIP=0
    transparent_bad_link: Literal["tagged", "text"] = "tagged"  # CIPOPEN of a link but 0

    # -- commands that not every firmware has --
    cipack: bool = True  # False: +IP ERROR: Operation not supported
    cipack_acked: Literal["counted", "reserved"] = "counted"  # reserved: 0 (SIM767XX)
    cipsendmode: bool = True  # AT+CIPSENDMODE
    ctcpka: bool = True  # AT+CTCPKA
    cipccfg_fields: Literal[7, 8] = 8  # 7: no package mode for UDP
    cipcfg: bool = True  # AT+CIPCFG (DATAECHO)
    rxget_modes: Literal[4, 5] = 5  # highest CIPRXGET mode
    dns_delay_s: float = 0.0  # CDNSGIP
    dns_form: Literal["lines", "first", "fields"] = "lines"  # several addresses in a CDNSGIP


DEFAULT: Final = Profile()
