import { type DescribedDevice, type DeviceContext, type DeviceReference, ToldDevices } from '../told-devices.ts'
import type { AppleElement } from './element.ts'

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

/** Where the records of an export come from: an app or a device in one version is one Device, to which its Observations refer. */
export class Sources {
  readonly #devices: ToldDevices

  constructor(context: DeviceContext) {
    this.#devices = new ToldDevices(context)
  }

  /** As of `ToldDevices`. */
  take = () => this.#devices.take()

  of(element: AppleElement): DeviceReference | undefined {
    const { sourceName, sourceVersion = '', device = '' } = element.attributes
    const source = sourceName?.trim()
    if (source === undefined || source === '') return undefined
    const key = `${source}\n${sourceVersion}\n${withoutPointer(device)}`
    return this.#devices.of(key, () => described(source, sourceVersion.trim(), deviceFacts(device)))
  }
}

function described(source: string, version: string, facts: DeviceFacts): DescribedDevice {
  const names = [{ name: source, type: 'user-friendly-name' }]
  if (facts.name !== undefined && facts.name !== source) names.push({ name: facts.name, type: 'manufacturer-name' })
  const versions = [
    versionOf('Version of the source', version),
    versionOf('Software', facts.software),
    versionOf('Firmware', facts.firmware),
  ].flat()
  return {
    display: facts.hardware === undefined ? source : `${source} (${facts.hardware})`,
    facts: ['apple', source, version, JSON.stringify(Object.entries(facts).sort())],
    elements: {
      ...(facts.UDIDeviceIdentifier === undefined
        ? {}
        : { udiCarrier: [{ deviceIdentifier: facts.UDIDeviceIdentifier }] }),
      ...(facts.localIdentifier === undefined ? {} : { identifier: [{ value: facts.localIdentifier }] }),
      ...(facts.manufacturer === undefined ? {} : { manufacturer: facts.manufacturer }),
      deviceName: names,
      ...(facts.hardware === undefined ? {} : { modelNumber: facts.hardware }),
      ...(facts.model === undefined ? {} : { type: { text: facts.model } }),
      ...(versions.length === 0 ? {} : { version: versions }),
    },
  }
}

function versionOf(text: string, value: string | undefined) {
  return value === undefined || value === '' ? [] : [{ type: { text }, value }]
}
