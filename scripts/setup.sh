#!/bin/sh
# All set-up: system tools, locked dependencies with the pinned Node, the build. Does only what is missing.
#   setup.sh [--test | --bench]    with --test also what the tests need, with --bench what the benchmark does
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

# program:package pairs. The first list is what ntt itself runs; the second makes media for the tests; the third holds
# the peers of the benchmark and what makes its data.
needed='
  ddrescue:gddrescue
  bsdtar:libarchive-tools
  7zz:7zip
  fiwalk:sleuthkit
  icat:sleuthkit
  sqfs2tar:squashfs-tools-ng
  zstd:zstd
  blkid:util-linux
  partx:util-linux
  lsblk:util-linux
  setpriv:util-linux
  tar:tar
  dd:coreutils
  id:coreutils
  mount:mount
  modprobe:kmod
'
for_tests='
  xfs_io:xfsprogs
  strace:strace
  bchunk:bchunk
  mksquashfs:squashfs-tools
  mkfs.btrfs:btrfs-progs
  mkfs.xfs:xfsprogs
  mkudffs:udftools
  linux.uml:user-mode-linux
  insmod:kmod
  setfattr:attr
  mount.exfat-fuse:exfat-fuse
  hformat:hfsutils
  mkapfs:apfsprogs
  xorriso:xorriso
  genisoimage:genisoimage
  mcopy:mtools
  mkfs.vfat:dosfstools
  mkfs.exfat:exfatprogs
  mkfs.ext4:e2fsprogs
  debugfs:e2fsprogs
  sfdisk:fdisk
  nbdkit:nbdkit
  nbdfuse:libnbd-bin
  fusermount3:fuse3
  ntfs-3g:ntfs-3g
  b3sum:b3sum
'
for_bench='
  restic:restic
  borg:borgbackup
  rsync:rsync
  b3sum:b3sum
  mkfs.ext4:e2fsprogs
  mkfs.xfs:xfsprogs
  xorriso:xorriso
  mkfs.vfat:dosfstools
  mcopy:mtools
  nbdkit:nbdkit
  nbdfuse:libnbd-bin
  fusermount3:fuse3
'
case ${1-} in
  --test) needed="$needed $for_tests" ;;
  --bench) needed="$needed $for_bench" ;;
esac

packages=
for pair in $needed; do
  PATH="$PATH:/usr/sbin:/sbin" command -v "${pair%%:*}" >/dev/null 2>&1 || packages="$packages ${pair##*:}"
done
packages=$(printf '%s\n' $packages | sort -u | tr '\n' ' ')
if [ -n "${packages% }" ]; then
  if [ "$(id -u)" = 0 ]; then as=
  elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then as='sudo -n'
  else
    say "ntt needs programs that are not installed. Run this, then start again:"
    say "    sudo apt-get install $packages"
    exit 1
  fi
  say "installing with apt: $packages"
  $as env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $packages >/dev/null 2>&1 ||
    { $as apt-get update -q >/dev/null 2>&1 || true
      $as env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $packages >&2; }
fi

# Real media for the table of media; without a registry it is said, and the table is shorter.
if [ "${1-}" = --test ]; then sh scripts/test-media.sh >/dev/null; fi

# A node_modules that is a link belongs to another clone, and is left as it is.
lock=$(sha256sum package-lock.json | cut -c1-64)
if [ ! -L node_modules ] && [ "$(cat node_modules/.ntt-lock 2>/dev/null)" != "$lock" ]; then
  say "installing the locked dependencies (456 MB, some minutes)"
  npm ci --no-audit --no-fund --loglevel=error >&2
  printf '%s' "$lock" > node_modules/.ntt-lock
fi

node=$(ls -d node_modules/node-linux-*/bin/node 2>/dev/null | head -n 1)
[ -n "$node" ] || node=node
newest=$(find src scripts/build.mjs package.json schemas -type f -newer dist/cli.mjs 2>/dev/null | head -n 1)
if [ ! -f dist/cli.mjs ] || [ -n "$newest" ]; then
  "$node" scripts/build.mjs
fi
