#!/bin/sh
# First process of a cluster's box: its own mounts, processes and network, all of which end with this process.
# Arguments: the file that says "ready", then the folders of the host that must stay visible.
set -eu
ready=$1
shift

# A pod may ask for mounts that follow the node's; nothing goes back to the host.
mount --make-rshared /

# Folders to keep are held open, then the places where node software writes by habit are covered.
[ $# -le 6 ] || { echo "at most 6 folders to keep" >&2; exit 1; }
number=3
for folder in "$@"; do
    eval "exec $number<\"\$folder\""
    number=$((number + 1))
done
for place in /run /var/lib /var/log; do
    mount -t tmpfs -o mode=0755 tmpfs "$place"
done
number=3
for folder in "$@"; do
    if [ ! -e "$folder" ]; then
        mkdir -p "$folder"
        # Not canonicalized: the link still leads to the folder that its own name no longer reaches.
        mount --no-canonicalize --bind "/proc/self/fd/$number" "$folder"
    fi
    eval "exec $number<&-"
    number=$((number + 1))
done
mkdir -p /run/lock
: >"$ready"

# Orphans of the box come to its first process, which must wait for them.
while :; do
    sleep 86400 &
    wait $! || :
done
