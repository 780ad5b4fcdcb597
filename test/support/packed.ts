// Frames as an archive has them, packed in the thread that asks.
import { packFrames, packSlab } from '../../src/ports/zstd.ts'

export const packed = (content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> =>
  packFrames(content, async (slab, bytes) => Buffer.from(slab, 0, packSlab(slab, bytes)), 2)
