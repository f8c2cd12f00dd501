/** A data folder of an earlier release, made by hand: a person's data in the commons, one copy of what is two patients'. */
import { printJson, type Resource } from '#fhir'
import type { Record } from '#record'
import type { Store } from '#store'
import type { Vault } from '#vault'
import { chainLink, encodePayload, firstLink } from '../../../src/record/ledger/payload.ts'
import { create, everything, grantOf, ids, ofPatient, openTestRecord, patient } from './family.ts'

const all = everything()

interface Registered {
  readonly compartment: string
}

async function compartmentNamed(record: Record, name: string): Promise<string> {
  return (await record.documents.get<Registered>('compartments', name))?.value.compartment ?? ''
}

/** Writes as an earlier release did: one entry, wherever it says. */
async function writeInto(
  compartment: string,
  resource: Resource & { readonly id: string },
  { store, vault }: { store: Store; vault: Vault },
): Promise<void> {
  const locator = vault.locator(resource.resourceType, resource.id)
  const head = (await store.heads([compartment])).get(compartment) ?? 0
  const [last] = await store.entriesAt(compartment, [head])
  const lastUpdatedMs = Date.parse('2026-03-01T10:00:00Z')
  const meta = { versionId: '1', lastUpdated: '2026-03-01T10:00:00.000Z' }
  const plain = encodePayload({
    method: 'POST',
    deleted: false,
    movedAway: false,
    created: true,
    lastUpdatedMs,
    supersedes: 0,
    chain: last === undefined ? firstLink : chainLink(last.sealed),
    copies: [],
    json: Buffer.from(printJson({ ...resource, meta })),
  })
  const seq = head + 1
  const sealed = (await vault.compartment(compartment)).sealEntry(plain, { locator, version: 1, seq })
  await store.commit({
    appends: [{ compartment, expectedHead: head, entries: [{ compartment, seq, locator, version: 1, sealed }] }],
  })
}

async function oldFolder() {
  const house = await openTestRecord()
  const mother = (await create(house.record, all, patient('Amsel'))).id
  const child = (await create(house.record, all, patient('Amsel'))).id
  const commons = (resource: Resource & { id: string }) =>
    compartmentNamed(
      house.record,
      `commons/${Number.parseInt(house.vault.locator(resource.resourceType, resource.id).slice(0, 1), 16)}`,
    ).then(compartment => writeInto(compartment, resource, house))
  await commons({
    resourceType: 'Observation',
    id: 'of-a-text',
    status: 'final',
    code: { text: 'x' },
    subject: { display: 'Mother' },
  } as Resource & { id: string })
  await commons({
    resourceType: 'Flag',
    id: 'of-mother',
    status: 'active',
    code: { text: 'x' },
    subject: { reference: `Patient/${mother}/_history/1` },
  } as Resource & { id: string })
  await commons({ resourceType: 'Binary', id: 'scan', contentType: 'text/plain', data: 'aGVsbG8=' } as Resource & {
    id: string
  })
  await commons({ resourceType: 'Practitioner', id: 'doctor' })
  const ofMother = await compartmentNamed(house.record, `patient/${mother}`)
  await writeInto(
    ofMother,
    {
      resourceType: 'Appointment',
      id: 'both',
      status: 'booked',
      participant: [mother, child].map(id => ({ actor: { reference: `Patient/${id}` }, status: 'accepted' })),
    } as Resource & { id: string },
    house,
  )
  await writeInto(
    ofMother,
    {
      resourceType: 'DocumentReference',
      id: 'letter',
      status: 'current',
      subject: { reference: `Patient/${mother}` },
      content: [{ attachment: { url: 'Binary/scan' } }],
    } as Resource & { id: string },
    house,
  )
  return { ...house, record: await house.again(), mother, child }
}

async function findings(record: Record): Promise<string[]> {
  const found: string[] = []
  for await (const { kind } of record.verify()) found.push(kind)
  return found
}

describe('a data folder of an earlier release', () => {
  it('shows no family what lies in the commons and is somebody’s', async () => {
    const { record } = await oldFolder()
    const stranger = grantOf('user/*.cruds', { account: 'stranger', patients: [] })
    for (const [type, id] of [
      ['Observation', 'of-a-text'],
      ['Flag', 'of-mother'],
      ['Binary', 'scan'],
    ] as const) {
      await expect(record.reader(stranger).read(type, id)).rejects.toMatchObject({ code: 'record.unknown' })
      expect(await ids(record, stranger, type, '')).toEqual([])
      expect((await record.reader(all).read(type, id)).id).toBe(id)
    }
    expect(await ids(record, stranger, 'Practitioner', '')).toEqual([])
  })

  it('is named by verify and put right by reindex, once', async () => {
    const { record, mother, child } = await oldFolder()
    expect(await findings(record)).toEqual(['misplaced', 'misplaced', 'misplaced'])
    await record.reindex()
    expect(await findings(record)).toEqual([])
    expect((await record.reader(all).read('Observation', 'of-a-text')).holder.kind).toBe('household')
    for (const [type, id] of [
      ['Flag', 'of-mother'],
      ['Binary', 'scan'],
      ['Appointment', 'both'],
    ] as const)
      expect((await record.reader(ofPatient(mother)).read(type, id)).id).toBe(id)
    expect((await record.reader(ofPatient(child)).read('Appointment', 'both')).id).toBe('both')
    const versions = async () =>
      Promise.all(
        (
          [
            ['Appointment', 'both'],
            ['DocumentReference', 'letter'],
            ['Binary', 'scan'],
            ['Flag', 'of-mother'],
          ] as const
        ).map(async ([type, id]) => (await record.reader(all).read(type, id)).version),
      )
    const before = await versions()
    await record.reindex()
    expect(await versions()).toEqual(before)
  })
})
