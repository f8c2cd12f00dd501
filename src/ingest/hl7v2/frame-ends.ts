import { Problem } from '#kernel'

/** A message as it is cut from a file. */
export interface Cut {
  lines: string[]
  batch: number
  refused?: Problem
}

const frameStart = '\v'
const frameEnd = '\x1c'

/** Which messages stand in frames that did not end, where frames are ended at all. */
export class Frames {
  readonly #unended: Cut[] = []
  #open: Cut | undefined
  #hasEnds = false

  /** What stands before a line, or behind the last. */
  pass(ends: string): void {
    if (ends.includes(frameEnd)) {
      this.#hasEnds = true
      this.#open = undefined
    }
  }

  /** A message begins behind these. */
  begin(message: Cut, ends: string): void {
    if (ends.lastIndexOf(frameStart) <= ends.lastIndexOf(frameEnd)) return
    this.#leave()
    this.#open = message
  }

  end(): readonly Cut[] {
    this.#leave()
    return this.#hasEnds ? this.#unended : []
  }

  #leave(): void {
    if (this.#open !== undefined) this.#unended.push(this.#open)
    this.#open = undefined
  }
}

export function unended(): Problem {
  const text = 'The message’s frame did not end: some of the message may be missing.'
  return new Problem('unprocessable', 'ingest.hl7-frame-unended', text)
}
