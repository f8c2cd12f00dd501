import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'

interface HeapSetting {
  /** How much larger than what is in use the old generation may grow before it is collected. */
  readonly oldGrowsPercent: number
  /** How large the young generation may become; as large as V8 lets it where nothing is said. */
  readonly youngMostBytes?: number
}

const mebibyte = 1024 * 1024
const youngMostMebibytes = 16

/**
 * How V8's heap may grow between collections. By itself it lets the old generation reach a multiple of what is in use,
 * which for a long import means hundreds of megabytes of garbage: many objects live just long enough to be promoted.
 */
const settings = {
  /** Hostile requests leave garbage behind that a larger young generation only keeps for longer. */
  steady: { oldGrowsPercent: 80, youngMostBytes: youngMostMebibytes * mebibyte },
  /** An import alone in its process. */
  frugal: { oldGrowsPercent: 80, youngMostBytes: youngMostMebibytes * mebibyte },
} as const satisfies { [name: string]: HeapSetting }

const lookEveryMs = 50

const youngFlag = '--max-semi-space-size'

/**
 * With which flags a process begins anew, so that its young generation never gets larger. `growHeap` says the same to a process that
 * runs, but looks only now and then, and one that is busy may have doubled it by then.
 */
export function heapFlagsFor(execArgv: readonly string[]): readonly string[] {
  const isSaid = execArgv.some(flag => flag.replaceAll('_', '-').startsWith(youngFlag))
  return isSaid ? execArgv : [...execArgv, `${youngFlag}=${youngMostMebibytes}`]
}

/** To be called before much is allocated: the flags are read at each collection. */
export function growHeap(setting: keyof typeof settings): void {
  const { oldGrowsPercent, youngMostBytes }: HeapSetting = settings[setting]
  setFlagsFromString(`--heap-growing-percent=${oldGrowsPercent}`)
  if (youngMostBytes !== undefined) stopYoungAt(youngMostBytes)
}

// The largest size itself is read once, before any of our code runs; how fast it is approached is not.
function stopYoungAt(bytes: number): void {
  const look = setInterval(() => {
    const young = getHeapSpaceStatistics().find(space => space.space_name === 'new_space')
    if ((young?.space_size ?? 0) < bytes) return
    setFlagsFromString('--semi-space-growth-factor=1')
    clearInterval(look)
  }, lookEveryMs).unref()
}
