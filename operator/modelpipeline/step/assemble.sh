#!/bin/sh
# Runs inside the builder image, by the builder's own /bin/sh: lists the file system, runs the builder's assemble on the
# source, lists again, and leaves what changed as a layer. Nothing here is trusted by what comes after (push): user code
# runs in the same container.
#
# POSIX sh; a builder may have no bash, no tar, no find. Everything else is busybox from the tools volume, always by its
# path: a busybox *shell* would prefer its own applets to the builder's programs.
#
# Reads  /modelpipeline/tools   (read-only): busybox, order.sh, and `cached` when there is nothing to do
#        /modelpipeline/source  (read-only): the source
# Writes /modelpipeline/layer: changed, links, deleted (names, each ended by a NUL), layer.tar, scripts
#
# Exit code: 0, assemble's own when that fails (its last output is then the end of the log), 64 when the image is no
# builder, 65 when what assemble left cannot be read.
set -u
umask 022

tools=/modelpipeline/tools
source=/modelpipeline/source
layer=/modelpipeline/layer
bb=$tools/busybox

# awk counts bytes or characters depending on the locale; names are bytes. assemble keeps the locale it has.
bytes() {
	LC_ALL=C "$bb" "$@"
}

say() {
	echo "modelpipeline: $*"
}

# A reason of ours goes into the termination message, as the other containers of the pod do it.
stop() { # exit code, reason, message (no quote or backslash in it)
	echo "{\"reason\": \"$2\", \"message\": \"$3\"}" >/dev/termination-log 2>/dev/null
	say "$3"
	exit "$1"
}

if [ -e "$tools/cached" ]; then
	say "the image of this source and builder is in the registry already; nothing to assemble"
	exit 0
fi

# Sets order_scripts (directories, separated by spaces), order_destination, and the words NAME=VALUE as "$@". They are
# never variables of this shell: a user's `layer`, `PATH` or `IFS` must not steer it.
. "$tools/order.sh"

# ---- which assemble ------------------------------------------------------------------------------------------------

scripts=
for candidate in $order_scripts; do
	if [ -x "$candidate/assemble" ]; then
		scripts=$candidate
		break
	fi
done

# The source's own scripts go where s2i puts them, beside the source, and win.
own=$source/.s2i/bin
assemble=$scripts/assemble
[ -f "$own/assemble" ] && assemble=$order_destination/scripts/assemble
run=$scripts/run
[ -f "$own/run" ] && run=$own/run
if [ -z "$scripts" ] && [ ! -f "$own/assemble" ]; then
	stop 64 NotABuilder "no assemble script in $order_scripts of the builder image: set builderImage to an s2i builder, or add .s2i/bin/assemble to the source"
fi
if [ ! -f "$run" ]; then
	stop 64 NotABuilder "the builder image has assemble but no run script beside it: the built image could not start; set builderImage to an s2i builder, or add .s2i/bin/run to the source"
fi

# ---- what is there -------------------------------------------------------------------------------------------------

# Names may hold anything but / and NUL, newlines and bars too. So each record of a list begins with a mark that no name
# holds by accident (it is drawn anew each time), and that no record was lost or split is counted against find's NULs.
mark=$("$bb" head -c 12 /dev/urandom | "$bb" xxd -p)
[ -n "$mark" ] || stop 65 BuildFailed "cannot read /dev/urandom in the builder image"

list() { # name of the list
	# Directories that this user may not read are reported, and judged in unreadable().
	"$bb" find / -xdev -print0 >"$layer/$1.names" 2>"$layer/$1.errors"
	"$bb" xargs -0 "$bb" stat -c "$mark%z|%y|%s|%u|%g|%f#%h#%d:%i#%n" <"$layer/$1.names" >"$layer/$1" 2>/dev/null
	names=$("$bb" tr -dc '\000' <"$layer/$1.names" | "$bb" wc -c)
	records=$(bytes awk -v RS="$mark" 'END { print NR - 1 }' "$layer/$1")
	if [ "$names" != "$records" ]; then
		stop 65 BuildFailed "cannot list the file system ($1: $names names, $records records): workspaceSize is too small, or processes of assemble still change it"
	fi
	"$bb" rm -f "$layer/$1.names"
}

# A directory that became unreadable would look as if its files had been deleted.
unreadable() {
	bytes grep -v -x -F -f "$layer/before.errors" "$layer/after.errors" | bytes grep 'ermission denied'
}

list before
# busybox takes an empty list of patterns for one that matches everything.
echo "$mark" >>"$layer/before.errors"
say "$names files listed; running $assemble"

# ctime tells what changed (cp -a keeps mtimes). It must have moved on before assemble starts: by some clock ticks, or by
# a whole second where the file system keeps no fractions.
if "$bb" grep -q "^${mark}[^.|]*\.0*[1-9]" "$layer/before"; then
	"$bb" usleep 20000
else
	"$bb" sleep 2
fi

# ---- assemble ------------------------------------------------------------------------------------------------------

# Copied after the first list, as s2i does it: what assemble leaves there is part of the image. Owned by assemble's user.
"$bb" mkdir -p "$order_destination/src" &&
	"$bb" cp -R "$source/." "$order_destination/src/" ||
	stop 65 BuildFailed "cannot copy the source to $order_destination/src in the builder image: its user may not write there; set assembleUser"
if [ -d "$own" ]; then
	"$bb" mkdir -p "$order_destination/scripts" &&
		"$bb" cp -R "$own/." "$order_destination/scripts/" &&
		"$bb" chmod -R 0755 "$order_destination/scripts" ||
		stop 65 BuildFailed "cannot copy the source's scripts to $order_destination/scripts in the builder image"
fi

"$bb" env "$@" "$assemble" </dev/null
status=$?

# What assemble left running would change files while they are read. Only as process 1 is "everything else" ours.
if [ "$$" = 1 ] && kill -9 -1 2>/dev/null; then
	"$bb" sleep 1
fi
[ "$status" = 0 ] || exit "$status"

# ---- what changed --------------------------------------------------------------------------------------------------

"$bb" rm -rf "$layer/after" "$layer/changed" "$layer/links" "$layer/deleted" "$layer/layer.tar" "$layer/scripts" "$layer/large"
: >"$layer/changed" && : >"$layer/links" && : >"$layer/deleted" || exit 65
list after
if unreadable; then
	stop 65 BuildFailed "assemble left directories that its own user may not read, so they cannot be put into the image: give them mode u+rx"
fi

# changed: in the order of find, so a directory comes before what is in it. Second and later names of one file go to
# links: no tar has to find them. deleted: only the topmost; what was below a directory that is none any more needs no
# mention. Mount points (and the files that the kubelet mounts one by one) are not the image's.
bytes awk '
function unescape(text,   out, at) {
	out = ""
	while ((at = match(text, /\\[0-7][0-7][0-7]/)) > 0) {
		out = out substr(text, 1, at - 1) sprintf("%c", substr(text, at + 1, 1) * 64 + substr(text, at + 2, 1) * 8 + substr(text, at + 3, 1))
		text = substr(text, at + 4)
	}
	return out text
}
function parent(name) {
	sub("/[^/]*$", "", name)
	return name
}
function foreign(name) {
	for (; name != ""; name = parent(name)) if (name in mounted) return 1
	return 0
}
part == "mounts" { if ($5 != "/") mounted[unescape($5)] = 1; next }
$0 == "" { next }
{
	at = index($0, "#/")
	name = substr($0, at + 1, length($0) - at - 1)
	split(substr($0, 1, at - 1), of, "#")
	type = substr(of[1], length(of[1]) - 3, 1)
}
part == "before" { was[name] = of[1]; next }
{
	now[name] = type
	if ((name in was && was[name] == of[1]) || name == "/" || type == "c" || foreign(name)) next
	if (type != "4" && of[2] > 1) {
		if (of[3] in first) {
			printf "%s%c%s%c", substr(name, 2), 0, first[of[3]], 0 > (layer "/links")
			next
		}
		first[of[3]] = substr(name, 2)
	}
	printf ".%s%c", name, 0 > (layer "/changed")
	count++
	split(of[1], about, "|")
	if (about[4] > 2097151 || about[5] > 2097151) large = name
}
END {
	for (name in was) {
		if (name in now) continue
		up = parent(name)
		# Asked with `in` first: awk makes what it is asked for.
		if ((up == "" || (up in now && now[up] == "4")) && !foreign(name)) {
			printf "%s%c", substr(name, 2), 0 > (layer "/deleted")
			gone++
		}
	}
	if (large != "") printf "%s", large > (layer "/large")
	printf "modelpipeline: %d files changed, %d deleted\n", count, gone
}' layer="$layer" part=mounts RS='\n' /proc/self/mountinfo part=before RS="$mark" "$layer/before" part=after "$layer/after" ||
	stop 65 BuildFailed "cannot compare the file system with what it was: workspaceSize is too small, or the memory limit in resources"

# ---- the layer -----------------------------------------------------------------------------------------------------

# By its path: a builder whose shell is busybox's would run its own applet.
gnu=
for folder in /usr/local/bin /usr/bin /bin; do
	if [ -x "$folder/tar" ] && "$folder/tar" --version 2>/dev/null | bytes grep -q 'GNU tar'; then
		gnu=$folder/tar
		break
	fi
done

cd / || exit 65
packed=1
if [ ! -s "$layer/changed" ]; then
	: >"$layer/layer.tar"
	packed=$?
elif [ -n "$gnu" ]; then
	# GNU tar also keeps extended attributes (file capabilities), where it was built with them.
	more=
	"$gnu" --help 2>/dev/null | bytes grep -q -e '--xattrs-include' && more='--xattrs --xattrs-include=*'
	set -f
	(
		unset TAR_OPTIONS POSIXLY_CORRECT
		LC_ALL=C "$gnu" --create --file="$layer/layer.tar" --null --no-recursion --numeric-owner $more --files-from="$layer/changed"
	)
	packed=$?
else
	# Without GNU tar: busybox, which takes names as words only, so there may be several archives behind one another.
	if [ -e "$layer/large" ]; then
		stop 65 BuildFailed "assemble left files of an owner above 2097151, which can only be packed by GNU tar: add tar to the builder image, or set assembleUser"
	fi
	"$bb" xargs -0 "$bb" tar -c -f - --no-recursion --numeric-owner <"$layer/changed" >"$layer/layer.tar"
	packed=$?
fi
[ "$packed" = 0 ] || stop 65 BuildFailed "cannot pack what assemble left (the lines above say why): files that its own user may not read, or workspaceSize is too small"

echo "$scripts" >"$layer/scripts"
"$bb" rm -f "$layer/before" "$layer/after" "$layer/before.errors" "$layer/after.errors"
"$bb" chmod 0644 "$layer/changed" "$layer/links" "$layer/deleted" "$layer/layer.tar" "$layer/scripts" || exit 65
exit 0
