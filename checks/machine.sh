#!/bin/bash
# Runs as process 1 of new namespaces: makes a root file system, and becomes systemd. See machine.py.
#
#     machine.sh FOLDER SEED
#
# FOLDER holds the upper layer while the machine runs; the files below SEED are put over this machine's root.
set -eu
folder=$1 seed=$2

mount --make-rprivate /
mount -t tmpfs tmpfs "$folder"
mkdir "$folder/upper" "$folder/work" "$folder/root"
cp -a "$seed/." "$folder/upper"
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" "$folder/root"
root=$folder/root

mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
else
    mount -t tmpfs tmpfs "$root/sys/fs/cgroup" -o mode=755
    mkdir "$root/sys/fs/cgroup/systemd"
    mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/systemd"
    for controller in memory pids cpu cpuacct; do
        mkdir "$root/sys/fs/cgroup/$controller"
        mount -t cgroup -o $controller cgroup "$root/sys/fs/cgroup/$controller"
    done
fi

mount -t tmpfs tmpfs "$root/run" -o mode=755
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs tmpfs "$root/dev" -o mode=755
for device in null zero full random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts devpts "$root/dev/pts" -o newinstance,ptmxmode=0666
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
mount -t tmpfs tmpfs "$root/dev/shm"

# Nothing starts but what the proof starts.
units=$root/etc/systemd/system
mkdir -p "$units"
rm -rf "$units"/*.wants
printf '[Unit]\nDescription=bare\nRequires=basic.target dbus.socket\nAfter=basic.target\nAllowIsolate=yes\n' \
    >"$units/bare.target"
for name in logind modules-load networkd random-seed remount-fs resolved sysctl timesyncd tmpfiles-setup-dev \
    udev-trigger udevd update-utmp; do
    ln -sf /dev/null "$units/systemd-$name.service"
done
for name in udevd-kernel udevd-control; do ln -sf /dev/null "$units/systemd-$name.socket"; done
: >"$root/etc/fstab"
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"

cd "$root"
mkdir .old
pivot_root . .old
umount -l /.old
# Credentials are mounted by a child of systemd. In a container, systemd does not share its mounts by itself.
mount --make-rshared /
export container=check
exec /lib/systemd/systemd --system --unit=bare.target --log-target=journal --show-status=0 </dev/null
