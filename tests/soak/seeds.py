"""Seeds that CI runs, and those that ever failed.

A seed means the same world only as long as the soak draws the same things in the same order.
So what a seed has found has a test of its own too, where it can be said shortly
(``test_findings.py``).
"""

from typing import Final

#: A fixed sample of worlds, short enough for every run of the tests.
SAMPLE: Final = tuple(range(1, 41))

#: Seeds that found something, with what it was.
EVER_FAILED: Final[dict[int, str]] = {
    24: "a network lost during an open left the emulated module busy for ever",
    34: "a hot loop of the scheduler: upkeep due, and held back for another link's result",
    61: "the AT of the next session completed a payload that the last one had left pending",
    172: "an answer without a report: FIN came before it was read",
    267: "a close of ours took effect on the next connection under the same number",
    2162: "a changed address was noticed after 106 s",
    2210: "a late prompt begins the module's wait anew: AT reached a peer as data",
    10192: "a restart in the middle of a bring-up was noticed after 150 s",
    10386: "one number that the module was stuck with stopped all service",
    20052: "small sends in quick succession, never acknowledged for want of asking: a stall",
    405614: "a prompt came while the device was away, 5 s late: AT completed its payload",
    405668: "a payload of two bytes was lost whole, and the trailer's first CR LF taken for it",
    407572: "a damaged answer took a report with it, and the unread bytes were gone at FIN",
    506534: "one CIPACK garbled on its way ended all asking: a module filled up with one link",
    310780: "noise with words in between was taken for another speed: AT completed a payload",
    702990: "a result that came 19 s late was taken for that of a send with a lost prompt",
    703701: "the prompt of a late module was lost: its wait outlived our silence by a hair",
    704150: "the end of a payload whose count was too low passed for a report",
    714038: "a far side closed behind small sends whose acknowledgement had not been asked for",
    745306: "a CIPACK that was refused with a full window was asked again at once, for ever",
    706513: "bytes under way in the emulated network were overtaken by those it had held",
    758041: "an answer to bytes that the emulated network had held passed others it held",
    761104: "a payload of one NUL that was counted as none was dropped as blank",
    762690: "the report of NETOPEN was lost, then the network: waited for 150 s",
}
