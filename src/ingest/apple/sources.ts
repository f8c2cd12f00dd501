import type { Outcome } from '../outcome.ts'
import { frozen } from '../tables.ts'
import type { AppleElement } from './element.ts'
import type { ExportContext } from './export-context.ts'

/** What a device string tells: `<<HKDevice: 0x2834ef0c0>, name:Apple Watch, manufacturer:Apple Inc., hardware:Watch6,7, …>` */
export interface DeviceFacts {
  readonly name?: string
  readonly manufacturer?: string
  readonly model?: string
  readonly hardware?: string
  readonly firmware?: string
  readonly software?: string
  readonly localIdentifier?: string
  readonly UDIDeviceIdentifier?: string
}

// Values contain commas (`Watch6,7`), so a part ends where the next known one begins.
const part =
  /(?:^|, )(name|manufacturer|model|hardware|firmware|software|localIdentifier|UDIDeviceIdentifier|creation date):(.*?)(?=, (?:name|manufacturer|model|hardware|firmware|software|localIdentifier|UDIDeviceIdentifier|creation date):|>?\s*$)/g

/** The parts of a device string. The pointer, and the date at which the object was made, change from export to export. */
export function deviceFacts(device: string): DeviceFacts {
  const facts: Record<string, string> = {}
  for (const [, name = '', value = ''] of withoutPointer(device).matchAll(part)) {
    const text = value.trim().slice(0, 200)
    if (text !== '' && name !== 'creation date') facts[name] = text
  }
  return facts
}

function withoutPointer(device: string): string {
  const end = device.startsWith('<<') ? device.indexOf('>') : -1
  return end < 0 ? device : device.slice(end + 1)
}

interface DeviceReference {
  readonly reference?: string
  readonly display: string
}

/** Different sources of one export: a person has some dozen, each in some dozen versions. */
const maxSources = 10_000

/**
 * Where the records of an export come from: an app or a device in one version is one Device, to which its Observations refer.
 * A Device is told the first time it is referred to.
 */
export class Sources {
  readonly #context: ExportContext
  readonly #known = new Map<string, DeviceReference>()
  readonly #told = new Set<string>()
  #fresh: Outcome[] = []

  constructor(context: ExportContext) {
    this.#context = context
  }

  /** The Devices that were referred to since the last call for the first time. */
  take(): Outcome[] {
    const fresh = this.#fresh
    if (fresh.length > 0) this.#fresh = []
    return fresh
  }

  of(element: AppleElement): DeviceReference | undefined {
    const { sourceName, sourceVersion = '', device = '' } = element.attributes
    const source = sourceName?.trim()
    if (source === undefined || source === '') return undefined
    const key = `${source}\n${sourceVersion}\n${withoutPointer(device)}`
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const reference = this.#tell(source, sourceVersion.trim(), deviceFacts(device))
    // @NOTE the memo starts afresh when full; ids are fingerprints, so what is told twice is the same Device.
    if (this.#known.size >= maxSources) this.#known.clear()
    this.#known.set(key, reference)
    return reference
  }

  #tell(source: string, version: string, facts: DeviceFacts): DeviceReference {
    const display = facts.hardware === undefined ? source : `${source} (${facts.hardware})`
    if (!this.#context.canWrite('Device')) return frozen({ display })
    const id = this.#context.fingerprint(
      'apple',
      'Device',
      source,
      version,
      JSON.stringify(Object.entries(facts).sort()),
    )
    if (!this.#told.has(id)) this.#fresh.push(deviceOutcome(id, source, version, facts, this.#context))
    if (this.#told.size < maxSources) this.#told.add(id)
    return frozen({ reference: `Device/${id}`, display })
  }
}

function deviceOutcome(
  id: string,
  source: string,
  version: string,
  facts: DeviceFacts,
  context: ExportContext,
): Outcome {
  const names = [{ name: source, type: 'user-friendly-name' }]
  if (facts.name !== undefined && facts.name !== source) names.push({ name: facts.name, type: 'manufacturer-name' })
  const versions = [
    versionOf('Version of the source', version),
    versionOf('Software', facts.software),
    versionOf('Firmware', facts.firmware),
  ].flat()
  return {
    kind: 'mapped',
    row: 'Device',
    rows: 0,
    mode: 'create',
    resource: {
      resourceType: 'Device',
      id,
      meta: { source: context.source },
      ...(facts.UDIDeviceIdentifier === undefined
        ? {}
        : { udiCarrier: [{ deviceIdentifier: facts.UDIDeviceIdentifier }] }),
      ...(facts.localIdentifier === undefined ? {} : { identifier: [{ value: facts.localIdentifier }] }),
      ...(facts.manufacturer === undefined ? {} : { manufacturer: facts.manufacturer }),
      deviceName: names,
      ...(facts.hardware === undefined ? {} : { modelNumber: facts.hardware }),
      ...(facts.model === undefined ? {} : { type: { text: facts.model } }),
      ...(versions.length === 0 ? {} : { version: versions }),
      patient: context.subject,
    },
  }
}

function versionOf(text: string, value: string | undefined) {
  return value === undefined || value === '' ? [] : [{ type: { text }, value }]
}
