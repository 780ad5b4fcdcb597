#!/bin/sh
# Makes the sample media of test/images/ with the standard makers, and counts them with other programs.
#   make-samples.sh [FOLDER]     default test/images
# The images are checked in; this tells where they come from. The same sources give the same bytes.
set -eu
cd "$(dirname "$0")/.."
PATH="$PATH:/usr/sbin:/sbin"
into=${1:-test/images}
node=$(ls -d "$PWD"/node_modules/node-linux-*/bin/node 2>/dev/null | head -n 1)
trees=$(mktemp -d /dev/shm/ntt-samples.XXXXXX 2>/dev/null || mktemp -d)
trap 'rm -rf "$trees"' EXIT
export TZ=UTC LC_ALL=C.UTF-8 SOURCE_DATE_EPOCH=1700000000 E2FSPROGS_FAKE_TIME=1700000000 MTOOLS_SKIP_CHECK=1
umask 022
"${node:-node}" scripts/sample-trees.mjs "$trees"
mkdir -p "$into"

# The CD: ISO 9660 with RockRidge (names as bytes) and Joliet.
rm -f "$into/ceh-report.iso"
xorriso -report_about SORRY -as mkisofs -o "$into/ceh-report.iso" -V CEH_REPORT -publisher NTT -R -J -joliet-long \
  -uid 1000 -gid 100 --modification-date=1999022512000000 --set_all_file_dates set_to_mtime "$trees/report"

# The floppy: FAT12, 1.44 MB.
rm -f "$into/floppy.img"
mkfs.vfat --invariant -C -F 12 -i 19940510 -n LETTERS "$into/floppy.img" 1440 >/dev/null
mcopy -s -m -Q -i "$into/floppy.img" "$trees/floppy"/* ::/

# The disk: an MBR, ext2 from 1 MiB on, ext4 from 2 MiB on.
ext() { # type, tree, label, uuid, blocks of 1 KiB
  truncate -s "$5K" "$trees/$2.img"
  "mkfs.$1" -q -F -b 1024 -N 128 -L "$3" -U "$4" -E "hash_seed=$4,root_owner=1000:100" -d "$trees/$2" "$trees/$2.img"
  # The tree was written just now, and mkfs keeps that as the time of change.
  free=$(dumpe2fs -h "$trees/$2.img" 2>/dev/null | sed -n 's/^Free inodes: *//p')
  for inode in $(seq 1 $((128 - free))); do
    for field in ctime atime ctime_extra atime_extra; do
      case $field in *extra) value=0 ;; *) value=@$SOURCE_DATE_EPOCH ;; esac
      echo "set_inode_field <$inode> $field $value"
    done
  done >"$trees/times"
  debugfs -w -f "$trees/times" "$trees/$2.img" >/dev/null 2>&1
}
ext ext2 part1 MORNING 11111111-2222-4333-8444-555555555501 1024
ext ext4 part2 EVENING 11111111-2222-4333-8444-555555555502 2048
rm -f "$into/disk.img"
truncate -s 4M "$into/disk.img"
printf 'label: dos\nlabel-id: 0x20011103\nstart=2048, size=2048, type=83\nstart=4096, size=4096, type=83\n' |
  sfdisk -q "$into/disk.img"
dd if="$trees/part1.img" of="$into/disk.img" bs=1M seek=1 conv=notrunc,sparse status=none
dd if="$trees/part2.img" of="$into/disk.img" bs=1M seek=2 conv=notrunc,sparse status=none

# The box: a folder is a medium as it is.
rm -rf "$into/box7"
cp -a "$trees/box7" "$into/box7"

echo "CD:     $(bsdtar -tf "$into/ceh-report.iso" | wc -l) entries by bsdtar"
echo "floppy: $(mdir -b -s -i "$into/floppy.img" ::/ | wc -l) entries by mdir, without the root"
for start in 2048 4096; do
  echo "disk:   $(fls -r -u -p -o $start "$into/disk.img" | grep -cv 'OrphanFiles\|V/V') entries by fls from sector $start, without the root"
done
echo "box:    $(find "$into/box7" | wc -l) entries by find"
