import { systems } from '../codes.ts'
import { type DeviceContext, type DeviceReference, ToldDevices } from '../told-devices.ts'

/** The devices and apps that rows come from, by the name that they have there. */
export class FitbitSources {
  readonly #devices: ToldDevices

  constructor(context: DeviceContext) {
    this.#devices = new ToldDevices(context)
  }

  /** As of `ToldDevices`. */
  take = () => this.#devices.take()

  of(source: string): DeviceReference {
    const display = source.slice(0, 200)
    return this.#devices.of(display, () => ({
      display,
      facts: ['fitbit', display],
      elements: {
        identifier: [{ system: systems.fitbit, value: display }],
        deviceName: [{ name: display, type: 'user-friendly-name' }],
      },
    }))
  }
}
