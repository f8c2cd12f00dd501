import { parseResource, printJson } from '#fhir'
import { giveWay, toUtf8 } from '#kernel'
import type { CompartmentId, Entry, Store } from '#store'
import type { CompartmentKeys, Vault } from '#vault'
import { soundPayload } from '../ledger/ledger-index.ts'
import { encodePayload, linkOf } from '../ledger/payload.ts'
import { namesInText } from './asked.ts'

const slice = 500

/**
 * Takes the values of searches out of a ledger of audit, since they may name somebody who is erased. Types, parameters, a keyed
 * digest of the text and everything else of each record stay, and so do its place and its link in the chain.
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
    if (entries.length < slice) return done
  }
}

/** Undefined for what has no text, and for what is damaged: `verify` names that. */
function withoutText(
  keys: CompartmentKeys,
  entry: Entry,
  digestOf: (text: string) => string,
): Entry['sealed'] | undefined {
  const payload = soundPayload(keys, entry)
  if (payload?.json.includes('"query":"') !== true) return undefined
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
