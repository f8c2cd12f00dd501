import { setFlagsFromString } from 'node:v8'

/**
 * How V8's heap may grow between collections. By itself it lets the old generation reach a multiple of what is in use,
 * which for a long import means hundreds of megabytes of garbage: most objects live just long enough to be promoted.
 */
const settings = {
  /** A server: the heap grows by at most four fifths. */
  steady: ['--heap-growing-percent=80'],
  /** An import alone in its process: the young generation stays small too, for a tenth of the speed. */
  frugal: ['--heap-growing-percent=33', '--semi-space-growth-factor=1'],
} as const

/** To be called before much is allocated: the flags are read at each collection. */
export function growHeap(setting: keyof typeof settings): void {
  for (const flag of settings[setting]) setFlagsFromString(flag)
}
