// Files that are no images of media, though people keep images in them: told by their first bytes, and how to unpack them.
import type { Reader } from '../model/world.ts'

export interface Packed {
  readonly what: string
  readonly hint: string
}

/** Bytes at an offset to what they are the mark of, and the program that unpacks it. */
const marks: readonly (readonly [offset: number, hex: string, what: string, unpack: string])[] = [
  [0, '1f8b08', 'gzip', 'gunzip --keep'],
  [0, '425a68', 'bzip2', 'bunzip2 --keep'],
  [0, 'fd377a585a00', 'xz', 'unxz --keep'],
  [0, '28b52ffd', 'zstd', 'unzstd --keep'],
  [0, '504b0304', 'a zip archive', 'unzip'],
  [0, '377abcaf271c', 'a 7-Zip archive', '7zz x'],
  [0, '526172211a07', 'a RAR archive', '7zz x'],
  [257, '7573746172', 'a tar archive', 'tar -xf'],
  [0, '514649fb', 'a QCOW2 image', 'qemu-img convert -O raw'],
  [0, '4b444d56', 'a VMDK image', 'qemu-img convert -O raw'],
  [0, '455646090d0aff00', 'an EnCase image', 'ewfexport'],
  [64, '7f10dabe', 'a VirtualBox image', 'qemu-img convert -O raw'],
]

/** What a file is packed as; null where its first bytes may be those of a medium. */
export async function packedAs(
  path: string,
  bytes: number,
  world: Pick<Reader, 'read'>,
): Promise<Packed | null> {
  const head = Buffer.alloc(Math.min(bytes, 512))
  let filled = 0
  for await (const chunk of world.read(path, { start: 0, end: head.length }))
    filled += chunk.copy(head, filled)
  for (const [offset, hex, what, unpack] of marks) {
    const mark = Buffer.from(hex, 'hex')
    if (head.subarray(offset, offset + mark.length).equals(mark))
      return { what, hint: `Unpack it first (${unpack} ${path}), then add what comes out.` }
  }
  return null
}
