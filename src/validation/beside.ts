import { Tinypool } from 'tinypool'
import { encodeJsonInSteps, type Resource } from '#fhir'
import { inSlices, type ProblemIssue } from '#kernel'

/** What it has grown to is given back when nothing large has come for so long; to begin anew takes it half a second. */
const idleMs = 5_000
const heapMebibytes = { old: 256, young: 16 }

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
      resourceLimits: { maxOldGenerationSizeMb: heapMebibytes.old, maxYoungGenerationSizeMb: heapMebibytes.young },
    })
    return this.pool.run(await inSlices(encodeJsonInSteps(resource)))
  }

  async close(): Promise<void> {
    await this.pool?.destroy()
    this.pool = undefined
  }
}
