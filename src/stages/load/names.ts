// A tree of names: exact, in typed arrays, some 45 bytes for each directory.

const chunkBytes = 1 << 20

/** Each node is a parent and some bytes, and may be given a number. Parents below 0 are roots. */
export class Names {
  size = 0
  #parents = new Int32Array(1024)
  #numbers = new Int32Array(1024)
  #chunkOf = new Uint32Array(1024)
  #starts = new Uint32Array(1024)
  #lengths = new Uint32Array(1024)
  /** Node + 1 by hash, 0 for a free slot; never more than half full. */
  #slots = new Int32Array(2048)
  #chunks: Buffer[] = []
  #used = chunkBytes

  parent(node: number): number {
    return this.#parents[node] ?? -1
  }

  /** 0: none was given. */
  number(node: number): number {
    return this.#numbers[node] ?? 0
  }

  give(node: number, number: number): void {
    this.#numbers[node] = number
  }

  name(node: number): Buffer {
    const start = this.#starts[node] ?? 0
    return this.#chunk(node).subarray(start, start + (this.#lengths[node] ?? 0))
  }

  /** The node of a name below another; made if it is new. */
  node(parent: number, bytes: Buffer, start: number, end: number): number {
    let hash = Math.imul(parent, 0x9e3779b1)
    for (let at = start; at < end; at += 1) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193)
    const mask = this.#slots.length - 1
    let slot = (hash ^ (hash >>> 15)) & mask
    for (let found = this.#slots[slot] ?? 0; found !== 0; found = this.#slots[slot] ?? 0) {
      if (this.#is(found - 1, parent, bytes, start, end)) return found - 1
      slot = (slot + 1) & mask
    }
    if ((this.size + 1) * 2 > this.#slots.length) {
      this.#grow()
      return this.node(parent, bytes, start, end)
    }
    this.#slots[slot] = this.size + 1
    return this.#add(parent, bytes, start, end)
  }

  #is(node: number, parent: number, bytes: Buffer, start: number, end: number): boolean {
    const length = end - start
    if (this.#parents[node] !== parent || this.#lengths[node] !== length) return false
    const chunk = this.#chunk(node)
    const from = this.#starts[node] ?? 0
    for (let at = 0; at < length; at += 1) if (chunk[from + at] !== bytes[start + at]) return false
    return true
  }

  #chunk(node: number): Buffer {
    return this.#chunks[this.#chunkOf[node] ?? 0] ?? Buffer.alloc(0)
  }

  #add(parent: number, bytes: Buffer, start: number, end: number): number {
    const length = end - start
    if (this.#used + length > (this.#chunks.at(-1)?.length ?? 0)) {
      this.#chunks.push(Buffer.allocUnsafeSlow(Math.max(chunkBytes, length)))
      this.#used = 0
    }
    const node = this.size
    this.#parents[node] = parent
    this.#chunkOf[node] = this.#chunks.length - 1
    this.#starts[node] = this.#used
    this.#lengths[node] = length
    bytes.copy(this.#chunks.at(-1) ?? Buffer.alloc(0), this.#used, start, end)
    this.#used += length
    this.size += 1
    return node
  }

  #grow(): void {
    const room = this.#parents.length * 2
    this.#parents = copied(this.#parents, new Int32Array(room))
    this.#numbers = copied(this.#numbers, new Int32Array(room))
    this.#chunkOf = copied(this.#chunkOf, new Uint32Array(room))
    this.#starts = copied(this.#starts, new Uint32Array(room))
    this.#lengths = copied(this.#lengths, new Uint32Array(room))
    this.#slots = new Int32Array(room * 2)
    const mask = this.#slots.length - 1
    for (let node = 0; node < this.size; node += 1) {
      let hash = Math.imul(this.parent(node), 0x9e3779b1)
      for (const byte of this.name(node)) hash = Math.imul(hash ^ byte, 0x01000193)
      let slot = (hash ^ (hash >>> 15)) & mask
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask
      this.#slots[slot] = node + 1
    }
  }
}

function copied<Words extends Int32Array | Uint32Array>(from: Words, to: Words): Words {
  to.set(from)
  return to
}
