import { isProblem, type ProblemKind, systemClock } from '#kernel'
import { type KeyStore, openMemoryKeys } from '#store'
import { type CompartmentKeys, newRecoveryCode, openVault, recoveryRoot, type Vault } from '#vault'

/** A vault in a keystore of its own. Its root is a recovery code: a real root that costs nothing to open. */
export async function newVault(keys: KeyStore = openMemoryKeys(), clock = systemClock): Promise<Vault> {
  return openVault({ keys, root: recoveryRoot(newRecoveryCode()), clock })
}

/** The keys of a new patient in a new vault. */
export async function newPatient(): Promise<CompartmentKeys> {
  return (await newVault()).createCompartment('patient')
}

/** `kind · code` of the Problem that `act` throws, its text checked for nothing but being there; else what it did. */
export async function problemOf(act: () => unknown): Promise<string> {
  try {
    await act()
    return 'no problem'
  } catch (error) {
    if (!isProblem(error)) throw error
    return named(error.kind, error.code)
  }
}

export const named = (kind: ProblemKind, code: string): string => `${kind} · ${code}`
export const sealBroken = named('fault', 'vault.seal-broken')

export async function* streamOf<T>(items: Iterable<T>): AsyncGenerator<T, void, void> {
  yield* items
}

export async function gather<T>(items: AsyncIterable<T>): Promise<T[]> {
  const gathered: T[] = []
  for await (const item of items) gathered.push(item)
  return gathered
}

/** A copy of `bytes` with the bits of `mask` flipped at one place. */
export function flipped(bytes: Uint8Array, at: number, mask = 1): Uint8Array {
  const copy = Uint8Array.from(bytes)
  copy[at] = (copy[at] ?? 0) ^ mask
  return copy
}
