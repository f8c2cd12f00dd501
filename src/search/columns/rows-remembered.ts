/** Of so many who look it is remembered what they see. */
const most = 4

interface Remembered {
  readonly looker: WeakRef<object>
  readonly number: number
  readonly rows: Uint8Array | undefined
}

/** Which rows of a table some who look see: one byte a row each, and none where they see nothing of it. */
export class RowsRemembered {
  #all: readonly Remembered[] = []

  get sizeBytes(): number {
    return this.#all.reduce((sum, { rows }) => sum + (rows?.byteLength ?? 0), 0)
  }

  /** @param number  tells what the same one saw at one time from what they see at another */
  of(looker: object, number: number): Pick<Remembered, 'rows'> | undefined {
    return this.#all.find(each => each.looker.deref() === looker && each.number === number)
  }

  keep(looker: object, number: number, rows: Uint8Array | undefined): void {
    const others = this.#all.filter(each => each.looker.deref() !== undefined && each.looker.deref() !== looker)
    this.#all = [{ looker: new WeakRef(looker), number, rows }, ...others.slice(0, most - 1)]
  }
}
