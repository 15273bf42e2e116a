"""The scripts inside the demo guest: what runs in its ramdisk and at its boot, and the words on its serial console.

The words beginning with ``tiny:`` are a contract: tests and ``make cloud`` wait for them. ``build.py`` writes the
files; everything here runs in busybox' shell.
"""

RAMDISK_INIT = """\
#!/bin/sh
# Loads the modules of the disk, mounts root= and hands over.
export PATH=/bin
[ -e /proc/mounts ] || mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module"; done < /modules/order
root=/dev/vda
for word in $(cat /proc/cmdline); do case "$word" in root=*) root=${word#root=};; esac; done
tries=0
while [ ! -b "$root" ] && [ $tries -lt 100 ]; do tries=$((tries + 1)); sleep 0.1; done
if ! mount -t ext4 -o rw "$root" /new; then
    echo "tiny: no root file system on $root" > /dev/console
    sleep 5
    poweroff -f
fi
for folder in proc sys dev; do mount --move /$folder /new/$folder; done
exec switch_root /new /sbin/init
"""

INITTAB = """\
::sysinit:/etc/rc
ttyS0::respawn:/sbin/getty -L 115200 ttyS0 vt100
::ctrlaltdel:/sbin/reboot
::shutdown:/bin/umount -a -r
"""

RC = r"""#!/bin/sh
# Everything from bare devices to "tiny: ready"; needs no network and no metadata to get there.
export PATH=/sbin:/bin:/usr/sbin:/usr/bin
SERVICE=http://169.254.169.254/latest
say() { echo "tiny: $*" > /dev/console; }
fetch() { timeout 5 wget -qO- "$SERVICE/$1" 2> /dev/null; }

say init
mkdir -p /dev/pts /run /tmp
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
chown -R 0:0 /etc /root
hostname -F /etc/hostname
while read -r module; do insmod "/lib/modules/$module" 2> /dev/null; done < /lib/modules/order
acpid -c /etc/acpi -l /run/acpid.log
ip link set lo up

for path in /sys/class/net/eth*; do
    [ -e "$path" ] || continue
    nic=${path##*/}
    ip link set "$nic" up
    if udhcpc -i "$nic" -q -n -f -t 20 -T 1 -A 2 -s /etc/udhcpc.sh > /dev/null 2>&1; then
        say dhcp ok "$nic" "$(ip -4 -o addr show dev "$nic" | awk '{print $4}')"
    else
        say dhcp failed "$nic"
    fi
done

mkdir -p /root/.ssh
if [ -e /sys/class/net/eth0 ]; then
    tries=0
    id=$(fetch meta-data/instance-id)
    while [ -z "$id" ] && [ $tries -lt 5 ]; do
        tries=$((tries + 1))
        sleep 1
        id=$(fetch meta-data/instance-id)
    done
    say instance-id="$id"
    name=$(fetch meta-data/local-hostname)
    [ -n "$name" ] && hostname "${name%%.*}" && echo "${name%%.*}" > /etc/hostname
    key=$(fetch meta-data/public-keys/0/openssh-key)
    if [ -n "$key" ] && ! grep -qsF "$key" /root/.ssh/authorized_keys; then
        echo "$key" >> /root/.ssh/authorized_keys
    fi
    fetch user-data > /run/user-data
    if [ "$(head -c 2 /run/user-data)" = "#!" ] && [ "$(cat /etc/user-data-ran 2> /dev/null)" != "$id" ]; then
        echo "$id" > /etc/user-data-ran
        chmod 700 /run/user-data
        /run/user-data > /dev/console 2>&1
        say user-data ended with $?
    fi
fi
chmod 700 /root /root/.ssh
[ -e /root/.ssh/authorized_keys ] && chmod 600 /root/.ssh/authorized_keys

mkdir -p /etc/dropbear
[ -e /etc/dropbear/key ] || dropbearkey -t ed25519 -f /etc/dropbear/key > /dev/null 2>&1
say hostkey "$(dropbearkey -y -f /etc/dropbear/key 2> /dev/null | grep ^ssh-)"
dropbear -s -r /etc/dropbear/key
sync
say ready
"""

UDHCPC = """\
#!/bin/sh
# Called by udhcpc with the lease in its environment.
case "$1" in
deconfig)
    ip -4 addr flush dev "$interface"
    ;;
bound | renew)
    ip -4 addr flush dev "$interface"
    ip addr add "$ip/$mask" dev "$interface"
    [ -n "$mtu" ] && ip link set "$interface" mtu "$mtu"
    for gateway in $router; do ip route replace default via "$gateway" dev "$interface" && break; done
    : > /etc/resolv.conf
    [ -n "$domain" ] && echo "search $domain" >> /etc/resolv.conf
    for server in $dns; do echo "nameserver $server" >> /etc/resolv.conf; done
    ;;
esac
exit 0
"""

POWER_BUTTON = """\
#!/bin/sh
echo "tiny: power button" > /dev/console
/sbin/poweroff
"""

PLAIN_FILES = {
    "etc/passwd": "root::0:0:root:/root:/bin/sh\n",
    "etc/group": "root:x:0:\ntty:x:5:\n",
    "etc/shells": "/bin/sh\n",
    "etc/hostname": "tiny\n",
    "etc/issue": "A tiny guest of stackd. On this console root needs no password; ssh takes keys only.\n",
    "etc/inittab": INITTAB,
}

PROGRAMS = {
    "etc/rc": RC,
    "etc/udhcpc.sh": UDHCPC,
    "etc/acpi/PWRF/00000080": POWER_BUTTON,
}
