import { type Grant, ownerOf } from '#access'
import { giveWay, newResourceId } from '#kernel'
import type { Fate, Item } from '../committing/items.ts'
import { stage } from '../committing/stage.ts'
import { importFhir } from '../fhir/import-fhir.ts'
import { forgetFingerprintKey } from '../keys.ts'
import { openContext } from '../open-context.ts'
import type { PrepareDeps } from '../prepare.ts'
import { sentFaults } from '../sent-faults.ts'
import type { ByteSource } from '../source/byte-source.ts'
import type { Rows } from './rows.ts'
import { fatesOf, type Taking } from './take-person.ts'

/**
 * Takes in what is nobody's – Practitioners, Organizations, Locations – once for all whom the files are about, under the ids that any
 * import gives them.
 *
 * @param numbers  of its rows among all
 */
export async function takeUnowned(
  { source, server }: { readonly source: ByteSource; readonly server: string | undefined },
  numbers: readonly number[],
  taking: Taking,
): Promise<void> {
  const { grant, rows, deps } = taking
  // Nobody has this id: what is nobody's has no fingerprint of a patient.
  const nobody = newResourceId()
  const { context } = await openContext(grant, nobody, '', deps)
  const fates = fatesOf({ numbers, isOfNobody: () => false }, rows)
  try {
    const file = { form: 'ndjson', server, open: () => source.read(0, source.sizeBytes) } as const
    const outcomes = await importFhir([file], { ...context, source: 'urn:kinhold:bulk-import', onRow: fates.onRow })
    for await (const some of outcomes) {
      taking.signal.throwIfAborted()
      const items = some.filter(({ kind }) => kind === 'mapped') as Item[]
      for (const [item, fate] of await committed(items, grant, { rows, deps, taking })) fates.onFate(item, fate)
    }
  } finally {
    await forgetFingerprintKey(deps.record.documents, nobody)
  }
}

async function committed(
  items: readonly Item[],
  grant: Grant,
  { deps, taking }: { readonly rows: Rows; readonly deps: PrepareDeps; readonly taking: Taking },
): Promise<ReadonlyMap<Item, Fate>> {
  const fates = new Map<Item, Fate>()
  const valid: Item[] = []
  for (const item of items) {
    const { fate } =
      item.kind === 'mapped' ? await sentFaults(deps.validator, item.resource, ownerOf(grant)) : { fate: undefined }
    if (fate === undefined) valid.push(item)
    else fates.set(item, fate)
    const pause = giveWay()
    if (pause !== undefined) await pause
  }
  if (valid.length === 0) return fates
  const now = (await taking.renew?.()) ?? grant
  const staged = await deps.record.writer(now, { imports: 'source' }).transact(async txn => {
    txn.note('bulk import: what belongs to nobody')
    return (await stage(txn, valid, { strict: false, validator: deps.validator, owner: ownerOf(now) })).fates
  })
  for (const item of valid) fates.set(item, staged.get(item) ?? 'duplicate')
  return fates
}
