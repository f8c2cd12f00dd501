const empty = -1
/** Beyond this share of slots in use, looking takes too many steps. */
const fullest = 0.8

/** Finds rows of a table by a hash of something in them, in five to ten bytes a row; what a row holds, the table knows. */
export class HashIndex {
  #slots = new Int32Array(1024).fill(empty)
  #used = 0

  get sizeBytes(): number {
    return this.#slots.byteLength
  }

  /** The first row under a hash that is the one. */
  find(hash: number, isIt: (row: number) => boolean): number | undefined {
    const last = this.#slots.length - 1
    for (let at = hash & last; ; at = (at + 1) & last) {
      const row = this.#slots[at] ?? empty
      if (row === empty) return undefined
      if (isIt(row)) return row
    }
  }

  /** @param hashOf  of each row that there is, to make room for more of them */
  add(hash: number, row: number, rows: number, hashOf: (row: number) => number): void {
    if (this.#used + 1 > this.#slots.length * fullest) {
      this.#slots = new Int32Array(this.#slots.length * 2).fill(empty)
      this.#used = 0
      for (let each = 0; each < rows; each++) if (each !== row) this.#place(hashOf(each), each)
    }
    this.#place(hash, row)
  }

  #place(hash: number, row: number): void {
    const last = this.#slots.length - 1
    let at = hash & last
    while (this.#slots[at] !== empty) at = (at + 1) & last
    this.#slots[at] = row
    this.#used++
  }
}
