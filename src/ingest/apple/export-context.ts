import type { DeviceContext } from '../told-devices.ts'

/** What reading an export needs to know of the run. */
export type ExportContext = DeviceContext
