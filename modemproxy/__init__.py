"""A local proxy through the TCP/IP stack inside a SIMCom A76XX LTE module."""

__version__ = "0.1.0"
