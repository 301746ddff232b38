/**
 * PID 1 of the boot environment. A shell and not the agent: when PID 1 ends the kernel panics, and a crash of the agent
 * must end in a readable screen. It brings no network up: that is the agent's, after it has verified the media.
 */
export const initScript = `#!/bin/sh
export PATH=/usr/sbin:/usr/bin HOME=/root TERM=linux LC_ALL=C
mount -t proc -o nosuid,nodev,noexec proc /proc
mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
mount -t devtmpfs -o nosuid devtmpfs /dev
mkdir -p /dev/pts /run /tmp /mnt
mount -t devpts -o nosuid,noexec devpts /dev/pts
mount -t tmpfs -o nosuid,nodev,mode=0755 tmpfs /run
mount -t tmpfs -o nosuid,nodev tmpfs /tmp
mkdir -p /run/prestage
cd /

# The kernel's console is only the last one named on its command line, so both are written to.
say() {
  for console in /dev/tty0 /dev/ttyS0; do printf '%s\\r\\n' "$*" > $console; done 2>/dev/null
}
uptime_seconds() { read -r up rest < /proc/uptime; echo "$up"; }

printf '\\033[9;0]' > /dev/tty0 2>/dev/null
say ""
say "Prestage boot environment, kernel $(uname -r)"
say "@@init up=$(uptime_seconds) start"

modprobe -a -q -b $(cat /etc/prestage/modules) 2>/dev/null
if [ -e /etc/prestage/match-devices ]; then
  say "Looking for devices..."
  # Twice: buses found by the first pass have devices of their own.
  for pass in 1 2; do
    find /sys/devices -name modalias -exec cat {} + 2>/dev/null | sort -u | xargs modprobe -a -q -b 2>/dev/null
  done
fi
[ -d /sys/firmware/efi ] && mount -t efivarfs efivarfs /sys/firmware/efi/efivars 2>/dev/null
ip link set lo up

# A clock before the day this environment was made is wrong.
if [ "$(date -u +%s)" -lt "$(cat /etc/prestage/earliest-time)" ]; then date -u -s "@$(cat /etc/prestage/earliest-time)" > /dev/null; fi
for parameter in $(cat /proc/cmdline); do
  case $parameter in prestage.esp=*) export PRESTAGE_ESP="\${parameter#prestage.esp=}" ;; esac
done

say "@@init up=$(uptime_seconds) agent"
PRESTAGE_ENVIRONMENT=boot setsid /usr/bin/node /agent/agent.mjs < /dev/null > /run/prestage/agent.log 2>&1
code=$?
say "@@init up=$(uptime_seconds) agent-exit code=$code"

cd /
release() {
  sync
  # Newest mounts first; what is busy is at least made read-only.
  grep -E '^/dev/' /proc/mounts | cut -d' ' -f2 | sort -r | while read -r folder; do
    umount "$folder" 2>/dev/null || mount -o remount,ro "$folder" 2>/dev/null
  done
  sync
}
case $code in
  0) release; say "@@init restart"; reboot -f ;;
  7) release; say "@@init power-off"; poweroff -f ;;
esac

release
say ""
say "+----------------------------------------------------------------------------+"
say "  The Prestage agent stopped unexpectedly (code $code)."
say ""
say "  The disk was left as it is. Restarting tries again from where it stopped."
say "  If this screen comes back, write down the lines below and give them to"
say "  the administrator of this deployment:"
say ""
tail -n 12 /run/prestage/agent.log 2>/dev/null | cut -c1-76 | while read -r line; do say "  | $line"; done
say ""
say "  Press Enter to restart this computer."
say "+----------------------------------------------------------------------------+"
say "@@init error-screen code=$code"
mkfifo /run/prestage/key
for console in /dev/tty0 /dev/ttyS0; do
  ( stty -F $console sane 2>/dev/null; read -r line < $console && echo key > /run/prestage/key ) 2>/dev/null &
done
read -r key < /run/prestage/key
reboot -f
# Only reached when the restart failed; PID 1 must not end.
while :; do sleep 3600; done
`;

/** What udhcpc runs when the agent asks for an address: address, mask, route and name servers. */
export const dhcpScript = `#!/bin/sh
export PATH=/usr/sbin:/usr/bin
case $1 in
  deconfig)
    ip addr flush dev "$interface"
    ip link set "$interface" up
    ;;
  bound|renew)
    ip addr flush dev "$interface"
    ip addr add "$ip/\${mask:-24}" \${broadcast:+broadcast "$broadcast"} dev "$interface"
    for gateway in $router; do ip route add default via "$gateway" dev "$interface"; break; done
    temporary=/run/prestage/resolv.conf.$$
    { [ -n "$domain" ] && echo "search $domain"; for server in $dns; do echo "nameserver $server"; done; } > $temporary
    cat $temporary > /etc/resolv.conf
    rm -f $temporary
    ;;
esac
exit 0
`;
