import { systems } from '../codes.ts'
import type { TakeoutContext } from '../fit/sources.ts'
import type { Outcome } from '../outcome.ts'
import { frozen } from '../tables.ts'

interface DeviceReference {
  readonly reference?: string
  readonly display: string
}

/** Devices and apps of which a Takeout tells; a person has some dozen. */
const maxSources = 10_000

/** The devices and apps that rows come from, by the name that they have there: each is one Device. */
export class FitbitSources {
  readonly #context: TakeoutContext
  readonly #known = new Map<string, DeviceReference>()
  #fresh: Outcome[] = []

  constructor(context: TakeoutContext) {
    this.#context = context
  }

  /** The Devices that were referred to since the last call for the first time. */
  take(): Outcome[] {
    const fresh = this.#fresh
    if (fresh.length > 0) this.#fresh = []
    return fresh
  }

  of(source: string): DeviceReference {
    const name = source.slice(0, 200)
    const known = this.#known.get(name)
    if (known !== undefined) return known
    const reference = this.#context.canWrite('Device') ? this.#tell(name) : frozen({ display: name })
    if (this.#known.size < maxSources) this.#known.set(name, reference)
    return reference
  }

  #tell(display: string): DeviceReference {
    const id = this.#context.fingerprint('fitbit', 'Device', display)
    const resource = {
      resourceType: 'Device',
      id,
      meta: { source: this.#context.source },
      identifier: [{ system: systems.fitbit, value: display }],
      deviceName: [{ name: display, type: 'user-friendly-name' }],
      patient: this.#context.subject,
    }
    this.#fresh.push({ kind: 'mapped', row: 'Device', rows: 0, mode: 'create', resource })
    return frozen({ reference: `Device/${id}`, display })
  }
}
