#!/bin/sh
# Real images that nobody here made, out of Debian packages, for the table of media: unpacks those that are missing and prints their folder.
# Without a package registry it says so on stderr, and what is there is what is there.
set -u
into="${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/ntt/test-media"
mkdir -p "$into" || exit 0

# package:paths in it, or in its archive of that name with .xz.
wanted='
grub-rescue-pc:usr/lib/grub-rescue/grub-rescue-cdrom.iso,usr/lib/grub-rescue/grub-rescue-floppy.img,usr/lib/grub-rescue/grub-rescue-usb.img
ipxe:usr/lib/ipxe/ipxe.iso
memtest86+:usr/lib/memtest86+/memtest86+x64.iso
forensics-samples-ext2:usr/share/forensics-samples/fs.ext2
forensics-samples-ext4:usr/share/forensics-samples/fs.ext4
forensics-samples-vfat:usr/share/forensics-samples/fs.vfat
forensics-samples-exfat:usr/share/forensics-samples/fs.exfat
forensics-samples-ntfs:usr/share/forensics-samples/fs.ntfs
forensics-samples-btrfs:usr/share/forensics-samples/fs.btrfs
forensics-samples-multiple:usr/share/forensics-samples/fs.multiple
'
for line in $wanted; do
  package=${line%%:*}
  paths=$(printf '%s' "${line#*:}" | tr ',' ' ')
  missing=
  for path in $paths; do [ -f "$into/$(basename "$path")" ] || missing=yes; done
  [ -n "$missing" ] || continue
  work=$(mktemp -d) || exit 0
  if (cd "$work" && apt-get download -q "$package" && dpkg -x ./*.deb unpacked) >/dev/null 2>"$work/said"; then
    for path in $paths; do
      part="$into/.$(basename "$path").part"
      if [ -f "$work/unpacked/$path.xz" ]; then xz -dc "$work/unpacked/$path.xz" >"$part"; else cp "$work/unpacked/$path" "$part"; fi &&
        mv "$part" "$into/$(basename "$path")"
    done
  else
    printf 'no %s from a package registry: its images are left out of the table of media\n' "$package" >&2
  fi
  rm -rf "$work"
done
printf '%s\n' "$into"
