import { systems } from '../codes.ts'
import { type DeviceContext, type DeviceReference, ToldDevices } from '../told-devices.ts'

/** `raw:com.google.step_count.delta:motorola:moto g(7):b8c2d6403aa74c3c:Step Counter` → `motorola moto g(7) Step Counter` */
export function displayOf(origin: string): string {
  const words = origin
    .split(':')
    .slice(2)
    .filter(word => word !== '' && !/^[0-9a-f]{8,}$/.test(word) && word !== 'com.google.android.gms')
  return words.join(' ').slice(0, 120).trim() || 'Google Fit'
}

/** The apps and devices from which points come. */
export class FitSources {
  readonly #devices: ToldDevices

  constructor(context: DeviceContext) {
    this.#devices = new ToldDevices(context)
  }

  /** As of `ToldDevices`. */
  take = () => this.#devices.take()

  of(origin: string): DeviceReference {
    // What it measured is no part of what it is.
    const name = origin.split(':').slice(2).join(':')
    return this.#devices.of(name, () => {
      const display = displayOf(origin)
      const elements = {
        ...(name === '' ? {} : { identifier: [{ system: systems.googleFit, value: name.slice(0, 500) }] }),
        deviceName: [{ name: display, type: 'user-friendly-name' }],
      }
      return { display, facts: ['fit', name], elements }
    })
  }
}
