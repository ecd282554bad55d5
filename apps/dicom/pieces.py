"""Pieces of memory that are written with one system call, as `writev` and `sendmsg` do."""

import os

MOST_PIECES = os.sysconf("SC_IOV_MAX")  # of one call; 1024 on Linux
