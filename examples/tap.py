# Opens the TAP device NAME and hands it to PROGRAM as descriptor 10, which is what an ioctl is needed for and Node lacks:
#
#     python3 examples/tap.py NAME PROGRAM ARGUMENTS...
#
# It never blocks (O_NONBLOCK), is a TAP device (IFF_TAP, 2), and puts nothing before a frame (IFF_NO_PI, 0x1000).
# 0x400454ca is TUNSETIFF of linux/if_tun.h. The device goes with the program, unless `ip tuntap add NAME mode tap` made it.
import fcntl, os, struct, sys

tap = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK)
fcntl.ioctl(tap, 0x400454CA, struct.pack('16sH22x', sys.argv[1].encode(), 0x1002))
os.dup2(tap, 10), os.execvp(sys.argv[2], sys.argv[2:])
