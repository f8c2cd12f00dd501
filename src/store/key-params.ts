import type { WrappedKey } from './contract.ts'

/** A row that was damaged must not hide the others: without its parameters it does not unwrap, and that is told then. */
export function paramsFrom(text: string): WrappedKey['params'] {
  try {
    const parsed: unknown = JSON.parse(text)
    return typeof parsed === 'object' && parsed !== null ? (parsed as WrappedKey['params']) : {}
  } catch {
    return {}
  }
}
