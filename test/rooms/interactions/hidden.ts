/** What lies in one's own reach and is hidden all the same: by scopes of some rows, by a role, by a Consent. The same for each store. */
import type { Grant } from '#access'
import type { Resource } from '#fhir'
import type { Store } from '#store'
import { consentOf, toRecipients } from './consent-of.ts'
import { counted, countedVault, workOf } from './counted.ts'
import { type Asked, grantOf, type House, openHouse } from './house.ts'

const categories = 'http://terminology.hl7.org/CodeSystem/observation-category'
const loinc = 'http://loinc.org'
const [hiddenCode, shownCode] = ['8867-4', '2823-3']

/** An Observation of hers; what is no vital sign is shown. */
const observation = (id: string, bytes: number, kind: 'hidden' | 'shown' = 'hidden'): Resource => ({
  resourceType: 'Observation',
  id,
  status: 'final',
  category: [{ coding: [{ system: categories, code: kind === 'hidden' ? 'vital-signs' : 'laboratory' }] }],
  code: { coding: [{ system: loinc, code: kind === 'hidden' ? hiddenCode : shownCode }] },
  subject: { reference: 'Patient/hers' },
  // Not to be made smaller by deflate.
  note: [
    {
      text: Buffer.from(crypto.getRandomValues(new Uint8Array(65_536)))
        .toString('hex')
        .repeat(Math.ceil(bytes / 131_072))
        .slice(0, bytes),
    },
  ],
})

const system = grantOf('system/*.cruds', { patients: 'all' })
const deep = 40

/** By id, what was hidden from its first version on. */
export const hiddenSizes = { small: 10_000, large: 1_000_000, huge: 10_000_000 } as const
const hidden = [...Object.keys(hiddenSizes), 'deep', 'gone', 'turned']

/** An id of the same length that nobody has. */
const ghostOf = (id: string) => [...id].reverse().join('')

const body = (id: string) => observation(id, 100, 'shown')
const { id: _, ...fresh } = observation('', 100, 'shown')

type Asking = readonly [method: string, url: string, asked?: Asked]

const asking: Readonly<Record<string, (id: string) => Asking>> = {
  read: id => ['GET', `/Observation/${id}`],
  'read of what is newer': id => ['GET', `/Observation/${id}`, { headers: { 'if-none-match': 'W/"1"' } }],
  'read of some elements': id => ['GET', `/Observation/${id}?_summary=true`],
  vread: id => ['GET', `/Observation/${id}/_history/1`],
  'vread of the newest': id => ['GET', `/Observation/${id}/_history/${deep}`],
  history: id => ['GET', `/Observation/${id}/_history`],
  'history of a while': id => ['GET', `/Observation/${id}/_history?_since=2026-01-01T00:00:00Z`],
  update: id => ['PUT', `/Observation/${id}`, { body: body(id) }],
  'update with If-Match': id => ['PUT', `/Observation/${id}`, { body: body(id), headers: { 'if-match': 'W/"1"' } }],
  patch: id => [
    'PATCH',
    `/Observation/${id}`,
    {
      body: [{ op: 'replace', path: '/status', value: 'amended' }],
      headers: { 'content-type': 'application/json-patch+json' },
    },
  ],
  delete: id => ['DELETE', `/Observation/${id}`],
  'create with If-None-Exist': id => [
    'POST',
    '/Observation',
    { body: fresh, headers: { 'if-none-exist': `_id=${id}` } },
  ],
  'conditional delete': id => ['DELETE', `/Observation?_id=${id}`],
  'search with includes': id => ['GET', `/Observation?_id=${id}&_include=*&_revinclude=*`],
  $meta: id => ['GET', `/Observation/${id}/$meta`],
  $validate: id => ['GET', `/Observation/${id}/$validate`],
  $graphql: id => ['GET', `/Observation/${id}/$graphql?query={id}`],
  batch: id => [
    'POST',
    '/',
    {
      body: {
        resourceType: 'Bundle',
        type: 'batch',
        entry: ['', '/_history/1', '/_history'].map(rest => ({
          request: { method: 'GET', url: `Observation/${id}${rest}` },
        })),
      },
    },
  ],
  transaction: id => [
    'POST',
    '/',
    {
      body: {
        resourceType: 'Bundle',
        type: 'transaction',
        entry: [{ request: { method: 'DELETE', url: `Observation/${id}` } }],
      },
    },
  ],
}

interface Who {
  readonly name: string
  readonly grant: (house: House) => Promise<Grant>
}

const laboratory = `category=${categories}|laboratory`

async function keeping(house: House, account: string): Promise<Grant> {
  const actor = { kind: 'account', id: account } as const
  return grantOf('user/*.cruds', { account, actor, ...(await house.record.keptBy(account)) })
}

const who: readonly Who[] = [
  {
    name: 'scopes of one patient that see some rows',
    grant: async () => grantOf(`patient/Observation.cruds?${laboratory}`, { patient: 'hers', patients: [] }),
  },
  {
    name: 'scopes of an account that see some rows',
    grant: async () => grantOf(`user/Observation.cruds?${laboratory}`, { account: 'family', patients: ['hers'] }),
  },
  {
    name: 'scopes of the server that see some rows',
    grant: async () => grantOf(`system/Observation.rs?${laboratory}`, { patients: 'all' }),
  },
  { name: 'a role', grant: house => keeping(house, 'viewer') },
  { name: 'a Consent', grant: house => keeping(house, 'guardian') },
]

async function open(store: Store): Promise<House> {
  const house = await openHouse({ store: counted(store), vaultAs: countedVault })
  const { record } = house
  const put = (resource: Resource) =>
    record.writer(system).transact(txn => txn.update(resource.resourceType, resource.id ?? '', resource))
  await put({ resourceType: 'Patient', id: 'hers' })
  await record.addPatientTo('family', 'hers')
  await record.addPatientTo('viewer', 'hers', { role: 'viewer', categories: ['laboratory'] })
  await record.addPatientTo('guardian', 'hers', { role: 'guardian' })
  for (const [id, bytes] of Object.entries(hiddenSizes)) await put(observation(id, bytes))
  for (let version = 0; version < deep; version++) await put(observation('deep', 2_000))
  await put(observation('gone', 200_000))
  await record.writer(system).transact(txn => txn.delete('Observation', 'gone'))
  for (const bytes of [100_000, 200_000]) await put(observation('turned', bytes))
  for (const [name, bytes] of Object.entries({ thin: 1_000, thick: 1_000_000 })) {
    // Each begins with what is hidden, or ends with it.
    for (const kind of ['hidden', 'shown'] as const) await put(observation(`${name}-at-first`, bytes, kind))
    await put(observation(`${name}-later`, 1_000, 'shown'))
    await put(observation(`${name}-later`, bytes))
  }
  await put(observation('shown', 2_000, 'shown'))
  const denied = { code: [{ coding: [{ system: loinc, code: hiddenCode }] }], ...toRecipients('actor=guardian') }
  const owner = await keeping(house, 'family')
  await record.writer(owner).transact(txn => txn.create(consentOf('hers', denied)))
  await record.flush()
  return house
}

/** What is so whatever the house is kept in. */
export function hiddenWithinReach(openStore: () => Promise<Store>): void {
  let store: Store
  let house: House

  beforeAll(async () => {
    store = await openStore()
    house = await open(store)
  })
  afterAll(async () => {
    await house.close()
    await store.close()
  })

  describe.each(who)('with $name', ({ grant: grantFor }) => {
    let grant: Grant

    beforeAll(async () => {
      grant = await grantFor(house)
    })

    const worked = async ([method, url, asked = {}]: Asking) => {
      const { answer, calls, bytes, opened } = await workOf(() => house.ask(method, url, { ...asked, grant }))
      await house.record.flush()
      return { status: answer.status, calls, bytes, opened, text: answer.text }
    }
    const worth = async (asked: Asking) => {
      const { text: _text, ...done } = await worked(asked)
      return done
    }
    const ask = (name: string, id: string) => worth(asking[name]?.(id) ?? ['GET', '/'])

    it('shows what is not hidden, once it was fetched and opened', async () => {
      const { status, bytes, text } = await worked(['GET', '/Observation/shown'])
      expect([status, text.includes(shownCode)]).toEqual([200, true])
      expect(bytes).toBeGreaterThan(1_000)
    })

    it.each(Object.keys(asking))('costs for what is hidden what it costs for what never was: %s', async name => {
      // The first one may open what the next ones find open.
      await ask(name, 'never-was')
      await ask(name, 'never-was')
      for (const id of hidden) {
        const ghost = await ask(name, ghostOf(id))
        expect({ id, ...(await ask(name, id)) }).toEqual({ id, ...ghost })
      }
    })

    it('tells of what was hidden at first no more than that it is not told', async () => {
      for (const name of ['thin', 'thick']) {
        const never = await worth(['GET', `/Observation/${name}-at-first/_history/9`])
        expect(await worth(['GET', `/Observation/${name}-at-first/_history/1`])).toEqual({ ...never, status: 404 })
        const { status, text } = await worked(['GET', `/Observation/${name}-at-first/_history`])
        expect([status, text.match(/"versionId":"(\d)"/g)]).toEqual([200, ['"versionId":"2"']])
      }
    })

    it('costs for what is hidden by now what its size does not tell', async () => {
      const costs = []
      for (const name of ['thin', 'thick']) {
        const ways = ['', '/_history/2', '/_history/1', '/_history', '/$meta']
        for (const way of ways) await worth(['GET', `/Observation/${name}-later${way}`])
        const each = []
        for (const way of ways) each.push(await worth(['GET', `/Observation/${name}-later${way}`]))
        costs.push(each)
      }
      const [thin, thick] = costs
      expect(thick?.map(({ status }) => status)).toEqual(thin?.map(({ status }) => status))
      // What is shown of both has the same size, but for padding.
      const opened = thick?.map(({ bytes }, at) => bytes - (thin?.[at]?.bytes ?? 0)) ?? []
      expect(opened.every(more => Math.abs(more) < 100)).toBe(true)
    })

    it.each(['/Observation/_history?_count=1000', '/_history?_count=1000', '/Patient/hers/$everything'])(
      'fetches nothing that is hidden for %s',
      async url => {
        const { bytes, text } = await worked(['GET', url])
        expect(text.includes(hiddenCode)).toBe(false)
        expect(bytes).toBeLessThan(hiddenSizes.large + 1_000_000)
      },
    )
  })
}
