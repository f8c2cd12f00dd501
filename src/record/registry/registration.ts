import type { Holder } from '#search'
import type { CompartmentId } from '#store'

/** A compartment of data and the one that keeps its audit. */
export interface Pair {
  readonly data: Holder
  readonly audit: Holder
}

/**
 * As kept in the sealed documents: which random compartment is whose. That of an erased patient stays, so that the id is never
 * given again and nothing that names it leads to anybody else; that of an account that was deleted, so that its household is never
 * made again.
 */
export interface Registration {
  readonly kind: 'patient' | 'household' | 'commons' | 'instance' | 'erased' | 'vacated'
  readonly compartment: CompartmentId
  readonly audit: CompartmentId
  readonly patient?: string
  readonly account?: string
  /** Id of the Patient into whom this one was merged. */
  readonly mergedInto?: string
}

/** The collection of documents in which registrations are. */
export const registrations = 'compartments'

/** What the compartment of a registration holds. */
const holds: Readonly<Record<Registration['kind'], Holder['kind']>> = {
  patient: 'patient',
  household: 'household',
  commons: 'commons',
  instance: 'audit',
  erased: 'patient',
  vacated: 'household',
}

/** Of these the key is destroyed. */
export const isDead = (kind: Registration['kind'] | undefined): boolean => kind === 'erased' || kind === 'vacated'

/** The audit of who was erased stays; it is nobody's any more but the instance's. */
export function pairOf({ kind, compartment, audit, patient, account }: Registration): Pair {
  const owner = { ...(patient === undefined ? {} : { patient }), ...(account === undefined ? {} : { account }) }
  const audited = isDead(kind) ? {} : owner
  return {
    data: { compartment, kind: holds[kind], ...owner },
    audit: { compartment: audit, kind: 'audit', ...audited },
  }
}

export const nameOfPatient = (patient: string): string => `patient/${patient}`

/** Without an account: the household of the instance, for what belongs to no account. */
export const nameOfHousehold = (account: string | undefined): string =>
  account === undefined ? 'household' : `household/${account}`
