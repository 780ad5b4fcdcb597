// Frames as an archive has them, packed in the thread that asks.
import { packFrames, packSlab } from '../../src/ports/zstd.ts'

export const packed = (content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> =>
  packFrames(content, async (slab, bytes) => packSlab(slab, bytes), 2)
