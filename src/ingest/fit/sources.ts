import { systems } from '../codes.ts'
import type { MapContext, Outcome } from '../outcome.ts'
import type { FhirContext } from '../read-context.ts'
import { frozen } from '../tables.ts'

/** What reading a Takeout needs to know of the run. */
export type TakeoutContext = MapContext & Pick<FhirContext, 'canWrite'>

interface DeviceReference {
  readonly reference?: string
  readonly display: string
}

/** `raw:com.google.step_count.delta:motorola:moto g(7):b8c2d6403aa74c3c:Step Counter` → `motorola moto g(7) Step Counter` */
export function displayOf(origin: string): string {
  const words = origin
    .split(':')
    .slice(2)
    .filter(word => word !== '' && !/^[0-9a-f]{8,}$/.test(word) && word !== 'com.google.android.gms')
  return words.join(' ').slice(0, 120).trim() || 'Google Fit'
}

/** Apps and devices of which a Takeout tells; a person has some dozen. */
const maxSources = 10_000

/** The apps and devices from which points come: each is one Device, told the first time something refers to it. */
export class FitSources {
  readonly #context: TakeoutContext
  readonly #known = new Map<string, DeviceReference>()
  #fresh: Outcome[] = []

  constructor(context: TakeoutContext) {
    this.#context = context
  }

  /** The Devices that were referred to since the last call for the first time. */
  take(): Outcome[] {
    const fresh = this.#fresh
    this.#fresh = []
    return fresh
  }

  of(origin: string): DeviceReference {
    // What it measured is no part of what it is.
    const name = origin.split(':').slice(2).join(':')
    const known = this.#known.get(name)
    if (known !== undefined) return known
    const display = displayOf(origin)
    const reference = this.#context.canWrite('Device') ? this.#tell(name, display) : frozen({ display })
    if (this.#known.size < maxSources) this.#known.set(name, reference)
    return reference
  }

  #tell(name: string, display: string): DeviceReference {
    const id = this.#context.fingerprint('fit', 'Device', name)
    const resource = {
      resourceType: 'Device',
      id,
      meta: { source: this.#context.source },
      ...(name === '' ? {} : { identifier: [{ system: systems.googleFit, value: name.slice(0, 500) }] }),
      deviceName: [{ name: display, type: 'user-friendly-name' }],
      patient: this.#context.subject,
    }
    this.#fresh.push({ kind: 'mapped', row: 'Device', rows: 0, mode: 'create', resource })
    return frozen({ reference: `Device/${id}`, display })
  }
}
