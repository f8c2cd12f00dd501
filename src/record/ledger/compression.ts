import { promisify } from 'node:util'
import { deflateRaw } from 'node:zlib'
import { constants, DeflateRaw, InflateRaw } from 'minizlib'
import { dictionary } from './dictionary.ts'

/** How a text was deflated: what its inflating must know. */
export interface Deflation {
  /** Deflated with a window of 32 KiB instead of at most 8. */
  readonly isWide: boolean
  /** Deflated with the end of the dictionary instead of all of it. */
  readonly isShort: boolean
}

/**
 * Most of deflate's time for a small text goes into preparing its window and hash table, so small texts get small ones:
 * half the time for the same size. The small window still holds the dictionary and the whole text.
 */
const windows = {
  /** Holds the short dictionary and a text of `tinyTextBytes`. */
  tiny: { windowBits: 12, memLevel: 5 },
  small: { windowBits: 13, memLevel: 6 },
  wide: { windowBits: 15, memLevel: 8 },
}
/**
 * Deflate also reads the whole dictionary each time. What Observations share stands at its end, and they are most of
 * what is written, so they get that part alone.
 */
const shortDictionary = dictionary.subarray(-2048)
const observation = Buffer.from('{"resourceType":"Observation"')
const smallWindowBytes = 2 ** windows.small.windowBits - 1024
const tinyTextBytes = 1792
/**
 * Up to about here, the table of codes that deflate writes for a text costs as many bytes as it saves, and two thirds of
 * the time of inflating it. Beyond, texts with the standard's own codes grow by 12 %.
 */
const briefTextBytes = 640

interface Settings {
  readonly windowBits: number
  readonly memLevel?: number
  readonly strategy?: number
  readonly dictionary: Buffer
}

/**
 * A deflater or inflater that is set up once and used for one text after the other: for a small text, setting zlib up and
 * tearing it down costs more than its work. Each text is done within one call, so one of each kind serves all.
 */
class Reused {
  readonly #kind: typeof DeflateRaw | typeof InflateRaw
  readonly #settings: Settings
  #stream: DeflateRaw | InflateRaw | undefined

  constructor(kind: typeof DeflateRaw | typeof InflateRaw, settings: Settings) {
    this.#kind = kind
    this.#settings = settings
  }

  /** @throws Error when these bytes cannot be inflated, or end too early */
  run(bytes: Buffer): Buffer {
    const stream = this.#stream ?? new this.#kind({ ...this.#settings, flush: constants.Z_FINISH })
    this.#stream = undefined // After an error it is of no more use.
    stream.reset()
    stream.write(bytes)
    this.#stream = stream
    return stream.read() ?? nothing
  }
}

const nothing = Buffer.alloc(0)

const deflaters = {
  brief: new Reused(DeflateRaw, { ...windows.tiny, strategy: constants.Z_FIXED, dictionary: shortDictionary }),
  tiny: new Reused(DeflateRaw, { ...windows.tiny, dictionary: shortDictionary }),
  short: new Reused(DeflateRaw, { ...windows.small, dictionary: shortDictionary }),
  small: new Reused(DeflateRaw, { ...windows.small, dictionary }),
  wide: new Reused(DeflateRaw, { ...windows.wide, dictionary }),
}

const inflaters = {
  short: new Reused(InflateRaw, { windowBits: windows.small.windowBits, dictionary: shortDictionary }),
  small: new Reused(InflateRaw, { windowBits: windows.small.windowBits, dictionary }),
  wide: new Reused(InflateRaw, { windowBits: windows.wide.windowBits, dictionary }),
}

/** A deflated text, and what its inflating must know. */
export interface Deflated {
  readonly deflated: Buffer
  readonly how: Deflation
}

const isWideFor = (json: Buffer): boolean => json.length + dictionary.length > smallWindowBytes

const deflateInThread = promisify(deflateRaw)

/** What `deflate` does; a long text is deflated by another thread. */
export async function deflateAside(json: Buffer): Promise<Deflated> {
  if (!isWideFor(json)) return deflate(json)
  return {
    deflated: await deflateInThread(json, { ...windows.wide, dictionary }),
    how: { isWide: true, isShort: false },
  }
}

/** Deflates a JSON text with what all FHIR resources share. */
export function deflate(json: Buffer): Deflated {
  const isWide = isWideFor(json)
  const isShort = !isWide && observation.equals(json.subarray(0, observation.length))
  return { deflated: deflaterFor(json, { isWide, isShort }).run(json), how: { isWide, isShort } }
}

function deflaterFor(json: Buffer, { isWide, isShort }: Deflation): Reused {
  if (isWide) return deflaters.wide
  if (!isShort) return deflaters.small
  if (json.length <= briefTextBytes) return deflaters.brief
  return json.length <= tinyTextBytes ? deflaters.tiny : deflaters.short
}

/** @throws Error when these bytes are not what `deflate` gives */
export function inflate(deflated: Buffer, { isWide, isShort }: Deflation): Buffer {
  return (isWide ? inflaters.wide : isShort ? inflaters.short : inflaters.small).run(deflated)
}
