import { createHash } from 'node:crypto'
import type { Grant } from '#access'
import type { Resource } from '#fhir'
import { parseResource } from '#fhir'
import { isProblem } from '#kernel'
import type { Txn } from '#record'
import type { Documents } from '#vault'
import { claimsInSlices, claimsOf, type PersonClaims } from '../identity/claims.ts'
import { comparable, elementsOf, inWords } from '../identity/guard.ts'
import { type Asking, identify, rivalsOf, survivorOf } from '../identity/identify.ts'
import type { Doubt } from '../identity/review/held.ts'
import { knownAs } from '../identity/review/known-as.ts'
import type { ContextDeps } from '../open-context.ts'
import { validPart } from '../without-invalid.ts'

/** Whom the files mean by one of their names. */
export type Whom =
  | { readonly kind: 'kept'; readonly patient: string; readonly isNew?: true }
  | { readonly kind: 'doubtful'; readonly doubt: Doubt }
  | { readonly kind: 'refused'; readonly text: string; readonly expression?: string }

/** Who of a source became whom here, so that what comes from there later finds them although it does not describe them. */
const collection = 'ingest-bulk-people'

function nameOf(source: string, name: string): string {
  return createHash('sha256')
    .update(JSON.stringify([source, name]))
    .digest('hex')
}

/**
 * Whom a description is about: who was taken in under this name before, who has one of its numbers and fits, or somebody new, who is
 * taken in. Judged by the one rule of `identity`, at the state of one transaction. Whom the account has no room for is refused alone: all
 * others are gone on with.
 *
 * @param source       whose names these are
 * @param description  their newest Patient; undefined where the files name them and do not describe them
 */
export async function whomOf(named: Named, grant: Grant, deps: ContextDeps): Promise<Whom> {
  try {
    return await foundOrTaken(named, grant, deps)
  } catch (error) {
    if (!isProblem(error) || error.code !== 'record.patients-exceeded') throw error
    return { kind: 'refused', text: error.text }
  }
}

interface Named {
  readonly source: string
  readonly name: string
  readonly description?: Resource
}

function foundOrTaken({ source, name, description }: Named, grant: Grant, deps: ContextDeps): Promise<Whom> {
  const { record, baseUrl } = deps
  const { documents } = record
  return record.writer(grant, { imports: 'source' }).transact(async (txn): Promise<Whom> => {
    const known = await documents.get<{ readonly patient: string }>(collection, nameOf(source, name))
    const patient = known && (await standing(txn, known.value.patient, baseUrl))
    if (patient !== undefined) return { kind: 'kept', patient }
    if (description === undefined) return undescribed
    const whom = await judged(txn, await claimsInSlices(description), { grant, baseUrl }, documents)
    const found = whom === 'new' ? await takenIn(txn, description, deps) : whom
    if (found.kind === 'kept') {
      const draft = documents.write(
        collection,
        nameOf(source, name),
        { patient: found.patient },
        { group: found.patient },
      )
      txn.document(draft, found.patient)
    }
    return found
  })
}

const undescribed: Whom = {
  kind: 'refused',
  text: 'The patient is described by no file, and came with no import of the same source before.',
}

/** Whom the files describe as several people under one id. */
export function severalUnderOne(elements: Parameters<typeof inWords>[0]): Whom {
  const text = `The files describe several people under this id. What differs: ${inWords(elements)}.`
  return { kind: 'refused', text, expression: expressionOf(elements) }
}

function expressionOf(elements: Parameters<typeof inWords>[0]): string {
  return elements.map(element => `Patient.${element}`).join(', ')
}

/** Nothing is known of somebody who is not here. */
const nobody = { id: '', claims: claimsOf({}) }

async function judged(txn: Txn, claims: PersonClaims, asking: Asking, documents: Documents): Promise<Whom | 'new'> {
  const verdict = await identify(txn, claims, asking)
  if (verdict.kind === 'certain') return { kind: 'kept', patient: verdict.patient }
  if (verdict.kind === 'contradiction')
    return {
      kind: 'refused',
      text: `A number of this patient is that of somebody else here. What differs: ${inWords(verdict.elements)}.`,
      expression: expressionOf(verdict.elements),
    }
  // Whoever has no number in common with anybody may still be called and born as somebody is.
  const doubt = verdict.kind === 'doubtful' ? verdict : await rivalsOf(txn, claims, nobody, asking)
  if (doubt.patients.length === 0) return 'new'
  const said = await knownAs(documents, doubt.patients, comparable(claims))
  if (said !== undefined) return { kind: 'kept', patient: said }
  const onTheirWord = 'onTheirWord' in doubt ? { onTheirWord: true as const } : {}
  const { patients, elements } = doubt
  return { kind: 'doubtful', doubt: { patients, elements, nth: 0, incoming: elementsOf(claims), ...onTheirWord } }
}

async function takenIn(txn: Txn, description: Resource, { validator }: ContextDeps): Promise<Whom> {
  const told = { resourceType: 'Patient', ...elementsOf(claimsOf(description)) }
  const { resource = { resourceType: 'Patient' } } = validPart(told, validator)
  txn.note('bulk import: a patient is taken in')
  const { id } = await txn.create(resource)
  return { kind: 'kept', patient: id, isNew: true }
}

/** Merges of merges are followed so far. */
const mostMerges = 8

/** Who stands for a Patient who was taken in; undefined when nobody is left. */
async function standing(txn: Txn, patient: string, baseUrl: string): Promise<string | undefined> {
  let at: string | undefined = patient
  for (let step = 0; at !== undefined && step < mostMerges; step++) {
    const stored = await txn.read('Patient', at)
    if (stored === undefined) return undefined
    const survivor = survivorOf(parseResource(stored.json), baseUrl)
    if (survivor === undefined) return at
    at = survivor
  }
  return undefined
}

/** Forgets under which names a patient who is erased was taken in. */
export async function forgetPeople(documents: Documents, patient: string): Promise<void> {
  for (const { name } of await documents.list(collection, { group: patient })) await documents.delete(collection, name)
}
