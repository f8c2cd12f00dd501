import { parseResource, printJson } from '#fhir'
import { giveWay, isProblem, toUtf8 } from '#kernel'
import { type CompartmentId, type Entry, mayFollow, type Store } from '#store'
import type { CompartmentKeys, Documents, Vault } from '#vault'
import { soundPayload } from '../ledger/ledger-index.ts'
import { encodePayload, linkOf, type Payload } from '../ledger/payload.ts'
import { namesInText } from './asked.ts'

const slice = 500

/** Up to where the texts of searches were taken out of a ledger, by its compartment. */
export interface Forgotten {
  readonly untilSeq: number
}

export const forgottenCollection = 'audit-texts'

/** Of how many entries of a ledger no text is left; 0 also when that cannot be read, which `verify` names. */
export async function forgottenUntil(documents: Documents, compartment: CompartmentId): Promise<number> {
  try {
    return (await documents.get<Forgotten>(forgottenCollection, compartment))?.value.untilSeq ?? 0
  } catch (error) {
    if (isProblem(error)) return 0
    throw error
  }
}

/** Whether a record of audit holds the text of a search. */
export function holdsText({ json }: Payload): boolean {
  return json.includes('"query":"')
}

/**
 * Takes the values of searches out of a ledger of audit, since they may name somebody who is erased. Types, parameters, a keyed
 * digest of the text and everything else of each record stay, and so do its place and its link in the chain. Whoever calls notes how far
 * it came: by that `verify` tells bytes of before that were put back, which the chain does not.
 *
 * @param afterSeq  up to which it was done before
 * @returns the last seq that was looked at
 */
export async function forgetTexts(
  { store, vault }: { readonly store: Store; readonly vault: Vault },
  compartment: CompartmentId,
  afterSeq = 0,
): Promise<number> {
  const keys = await vault.compartment(compartment)
  const digestOf = (text: string) => vault.mac('audit.query', toUtf8(text)).toString('hex')
  let done = afterSeq
  for (;;) {
    const entries = await store.entriesFrom(compartment, done + 1, slice)
    const forgotten = []
    for (const entry of entries) {
      const sealed = withoutText(keys, entry, digestOf)
      if (sealed !== undefined) forgotten.push({ seq: entry.seq, sealed })
      const pause = giveWay()
      if (pause !== undefined) await pause
    }
    if (forgotten.length > 0) await store.reseal(compartment, forgotten)
    done = entries.at(-1)?.seq ?? done
    if (!mayFollow(entries, slice)) return done
  }
}

/** Undefined for what has no text, and for what is damaged: `verify` names that. */
function withoutText(
  keys: CompartmentKeys,
  entry: Entry,
  digestOf: (text: string) => string,
): Entry['sealed'] | undefined {
  const payload = soundPayload(keys, entry)
  if (payload === undefined || !holdsText(payload)) return undefined
  const event = parseResource(payload.json)
  const entity = (event.entity as readonly Entity[]).map(each => forgetIn(each, digestOf))
  const json = Buffer.from(printJson({ ...event, entity }), 'utf8')
  return keys.sealEntry(encodePayload({ ...payload, json, link: Buffer.from(linkOf(entry, payload)) }), entry)
}

interface Entity {
  readonly query?: string
  readonly detail?: unknown
}

function forgetIn(entity: Entity, digestOf: (text: string) => string): object {
  const { query, ...rest } = entity
  if (query === undefined) return entity
  const text = Buffer.from(query, 'base64').toString('utf8')
  const digest = [{ type: 'digest', valueString: digestOf(text) }]
  return { ...rest, ...namesInText(text), detail: entity.detail ?? digest }
}
