#!/bin/sh
# What the awkward builder's image holds before assemble.
set -eu
mkdir -p /opt/awkward && cd /opt/awkward
for name in gone "gone too" file-to-folder same-size to-setuid to-chown to-link to-rename untouched; do
	printf 'AAAA' >"$name"
done
for name in full folder-to-file folder-to-link emptied swapped untouched-folder; do
	mkdir "$name"
	for inner in gone kept-name; do echo "$inner" >"$name/$inner"; done
	mkdir "$name/deeper" && echo deep >"$name/deeper/file"
done
ln -s full link-to-folder
ln -s untouched link-to-chown
echo hard >hard-1 && ln hard-1 hard-2
mkfifo /opt/awkward/old-pipe
