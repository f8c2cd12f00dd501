import { Tinypool } from 'tinypool'
import { Decimal, printJson, type Resource } from '#fhir'
import type { ProblemIssue } from '#kernel'

/** As much as is validated in a turn of the event loop: a few milliseconds. */
const valuesOfATurn = 2_000
/** Formats are looked at letter by letter: so many letters take as long as a value. */
const lettersOfAValue = 4_096

const idleMs = 30_000
const heapMebibytes = 256

/** Whether validating a resource takes so long that others would notice. Looks no further than it must. */
export function isLarge(resource: Resource): boolean {
  return weightLeft(resource, valuesOfATurn) < 0
}

function weightLeft(value: unknown, left: number): number {
  if (typeof value === 'string') return left - 1 - value.length / lettersOfAValue
  if (typeof value !== 'object' || value === null || value instanceof Decimal) return left - 1
  let rest = left - 1
  for (const child of Object.values(value)) {
    rest = weightLeft(child, rest)
    if (rest < 0) return rest
  }
  return rest
}

/** A thread beside the event loop that validates one large resource after another; it begins with the first. */
export class ValidatingThread {
  private pool: Tinypool | undefined

  /** What `Validator.validate` says of the resource. */
  async validate(resource: Resource): Promise<readonly ProblemIssue[]> {
    this.pool ??= new Tinypool({
      filename: new URL('./thread.ts', import.meta.url).href,
      minThreads: 0,
      maxThreads: 1,
      idleTimeout: idleMs,
      resourceLimits: { maxOldGenerationSizeMb: heapMebibytes },
    })
    return this.pool.run(printJson(resource))
  }

  async close(): Promise<void> {
    await this.pool?.destroy()
    this.pool = undefined
  }
}
