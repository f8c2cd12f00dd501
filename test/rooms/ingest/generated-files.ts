import fc from 'fast-check'

/** A row of a file, as it stands there. */
export interface GeneratedRow {
  readonly text: string
  /** A word that the record must have afterwards; undefined when the row cannot be taken in, or another one takes its place. */
  readonly said?: string
}

type Kind = (n: number) => { readonly resource?: object; readonly request?: object; readonly said?: boolean }

const observation = (n: number, rest: object = {}) => ({
  resourceType: 'Observation',
  id: `o${n}`,
  status: 'final',
  code: { text: `w${n}-` },
  subject: { reference: 'Patient/p' },
  ...rest,
})

/** Entries of every kind that Bundles have, well and badly made. */
const kinds: readonly Kind[] = [
  n => ({ resource: observation(n), said: true }),
  n => ({ resource: observation(n, { subject: undefined, id: undefined }), said: true }),
  n => ({ resource: observation(n, { status: 'no such status' }) }),
  n => ({ resource: observation(n, { unheard: true }) }),
  n => ({ resource: observation(n, { code: undefined }) }),
  n => ({ resource: observation(n, { subject: { display: 'Somebody' } }) }),
  n => ({ resource: observation(n, { subject: { reference: 'Group/g' } }) }),
  n => ({ resource: observation(n, { subject: [] }) }),
  n => ({ resource: { ...observation(n), resourceType: 'Unheard' } }),
  n => ({ resource: { ...observation(n), resourceType: 7 } }),
  n => ({ resource: { id: `x${n}` } }),
  n => ({ resource: { resourceType: 'ValueSet', id: `v${n}`, status: 'draft' } }),
  n => ({ resource: { resourceType: 'Practitioner', id: `p${n}`, name: [{ family: `w${n}-` }] } }),
  n => ({ resource: { resourceType: 'Binary', id: `b${n}`, contentType: 'text/plain', data: 'aGVsbG8=' } }),
  n => ({
    resource: {
      resourceType: 'DocumentReference',
      status: 'current',
      description: `w${n}-`,
      subject: { reference: 'Patient/p' },
      content: [{ attachment: { url: `Binary/b${n}` } }],
    },
    said: true,
  }),
  n => ({
    resource: {
      resourceType: 'Condition',
      id: `c${n}`,
      code: { text: `w${n}-` },
      subject: { reference: 'Patient/p' },
      encounter: { reference: 'Encounter/none' },
    },
    said: true,
  }),
  n => ({ request: { method: 'DELETE', url: `Observation/gone${n}` } }),
  n => ({ request: { method: 'DELETE', url: `Practitioner/gone${n}` } }),
  n => ({ request: { method: 'DELETE', url: `w${n}` } }),
  n => ({ request: { method: 'PATCH', url: `Observation/o${n}` }, resource: observation(n) }),
  () => ({}),
]

const person = { resourceType: 'Patient', id: 'p', gender: 'female' }

const drawn = fc.array(fc.tuple(fc.nat(kinds.length - 1), fc.boolean()), { minLength: 1, maxLength: 25 })

function drawnEntries(of: readonly (readonly [kind: number, twice: boolean])[]) {
  return of.flatMap(([kind, twice], n) => {
    const made = kinds[kind]?.(n)
    if (made === undefined) return []
    const { said, ...entry } = made
    const one = { entry, ...(said === true ? { said: `w${n}-` } : {}) }
    return twice ? [one, { entry }] : [one]
  })
}

/** The entries of a Bundle. */
export const entries: fc.Arbitrary<readonly GeneratedRow[]> = drawn.map(of =>
  [{ entry: { resource: person } }, ...drawnEntries(of)].map(({ entry, ...rest }) => ({
    text: JSON.stringify(entry),
    ...rest,
  })),
)

/** The resources of NDJSON, among lines that are none. */
export const lines: fc.Arbitrary<readonly GeneratedRow[]> = drawn.map(of => {
  const resources = drawnEntries(of).map(({ entry: { resource, request }, ...rest }) =>
    resource !== undefined && request === undefined ? { text: JSON.stringify(resource), ...rest } : { text: 'no JSON' },
  )
  return [{ text: JSON.stringify(person) }, { text: JSON.stringify({ ...person, active: true }) }, ...resources]
})

export const bundleOf = (of: readonly GeneratedRow[], type = 'batch'): string =>
  `{"resourceType":"Bundle","type":"${type}","entry":[\n${of.map(({ text }) => text).join(',\n')}\n]}`

export const ndjsonOf = (of: readonly GeneratedRow[]): string => of.map(({ text }) => `${text}\n`).join('')

const hourNanos = 3_600_000_000_000n
const startNanos = 1_700_000_000_000_000_000n

const instantOf = (n: number) => new Date(1_700_000_000_000 + (n + 1) * 3_600_000).toISOString().slice(0, 19)

const point = (n: number, rest: object = {}) => ({
  dataTypeName: 'com.google.heart_rate.bpm',
  originDataSourceId: 'raw:com.google.heart_rate.bpm:com.example.app:',
  startTimeNanos: `${startNanos + BigInt(n + 1) * hourNanos}`,
  endTimeNanos: `${startNanos + BigInt(n + 1) * hourNanos}`,
  value: [{ fpVal: 61 }],
  ...rest,
})

const pointKinds: readonly ((n: number) => { readonly point: unknown; readonly said?: boolean })[] = [
  n => ({ point: point(n), said: true }),
  n => ({ point: point(n, { dataTypeName: 'com.google.step_count.delta', value: [{ intVal: 5 }] }), said: true }),
  n => ({ point: point(n, { value: [] }) }),
  n => ({ point: point(n, { value: undefined }) }),
  n => ({ point: point(n, { value: [{ intVal: 'no number' }] }) }),
  n => ({ point: point(n, { dataTypeName: 'com.example.unheard' }) }),
  n => ({ point: point(n, { startTimeNanos: '12' }) }),
  n => ({ point: point(n, { endTimeNanos: `${startNanos - hourNanos}` }) }),
  n => ({ point: point(n, { dataTypeName: 'com.google.activity.segment', value: [{ intVal: 8 }] }), said: true }),
  n => ({ point: point(n, { dataTypeName: 'com.google.activity.segment', value: [{ intVal: 3 }] }) }),
  n => ({ point: point(n, { dataTypeName: 'com.google.activity.segment', value: [{ intVal: 99_999 }] }) }),
  n => ({
    point: point(n, {
      dataTypeName: 'com.google.nutrition',
      value: [{ mapVal: [{ key: 'protein', value: { fpVal: 3 } }] }, { intVal: 2 }, { stringVal: `w${n}-` }],
    }),
    said: true,
  }),
  n => ({ point: point(n, { dataTypeName: 'com.google.nutrition', value: [{ mapVal: [] }] }) }),
  () => ({ point: null }),
  () => ({ point: [1] }),
  () => ({ point: 'text' }),
  () => ({ point: {} }),
]

/** The points of a data set of Google Fit. */
export const points: fc.Arbitrary<readonly GeneratedRow[]> = fc
  .array(fc.tuple(fc.nat(pointKinds.length - 1), fc.boolean()), { minLength: 1, maxLength: 25 })
  .map(of =>
    of.flatMap(([kind, twice], n) => {
      const made = pointKinds[kind]?.(n)
      if (made === undefined) return []
      const row = { text: JSON.stringify(made.point), ...(made.said === true ? { said: instantOf(n) } : {}) }
      return twice ? [row, { text: row.text }] : [row]
    }),
  )

const heartRate = 'derived:com.google.heart_rate.bpm:com.google.android.gms:merge_heart_rate_bpm'

export const datasetOf = (of: readonly GeneratedRow[]): string =>
  `{"dataSourceId":"${heartRate}","minStartTimeNs":"0","maxEndTimeNs":"2","point":[{"startTimeNanos":"1700000000000000000","endTimeNanos":"1700000000000000000","dataTypeName":"com.google.heart_rate.bpm","value":[{"fpVal":60}]},\n${of.map(({ text }) => text).join(',\n')}\n]}`

const head = (type: string, n: number) => `MSH|^~\\&|LAB|CLINIC|||20240105101500||${type}|m${n}|P|2.5.1`
const pid = 'PID|1||77^^^CLINIC^MR||Doe^Jane||19800101|F'
/** Who has which number is remembered, so each file is about somebody else. */
let people = 0
const results = (n: number, ...more: readonly string[]) =>
  [head('ORU^R01^ORU_R01', n), pid, `OBR|1|f${n}||24331-1^Lipids^LN|||20240105`, ...more].join('\r')

const messageKinds: readonly ((n: number) => readonly [text: string, rows: number, said: boolean])[] = [
  n => [results(n, `OBX|1|ST|8251-1^Note^LN||w${n}-||||||F`), 4, true],
  n => [results(n, `OBX|1|NM|2093-3^Chol^LN||180|mg/dL|||||F`, `NTE|1||w${n}-`), 5, true],
  n => [results(n, `OBX|1|NM|2093-3^Chol^LN||none|mg/dL|||||F`, `OBX|2|ST|8251-1^Note^LN||w${n}-||||||F`), 5, true],
  n => [results(n, `OBX|1|ST|8251-1^Note^LN||w${n}-||||||F`, 'ZZZ|1|x', 'ABC|2'), 6, true],
  n => [[head('ADT^A08^ADT_A01', n), 'EVN||20240105', pid, 'PV1|1|O', `AL1|1|DA|^w${n}-`].join('\r'), 5, true],
  n => [head('QRY^A19', n), 1, false],
  n => [[head('ORU^R01', n), `OBR|1|f${n}||x`].join('\r'), 1, false],
  n => [results(n).replace('19800101', '19910101'), 1, false],
  n => [[head('ADT^A40^ADT_A39', n), 'EVN||20240105', pid, 'MRG|78'].join('\r'), 1, false],
]

/** Messages, each with how many rows it is: its segments, or itself where it is refused. */
export const messages: fc.Arbitrary<readonly (GeneratedRow & { readonly rows: number })[]> = fc
  .array(fc.nat(messageKinds.length - 1), { minLength: 1, maxLength: 12 })
  .map(of => {
    people += 1
    const born = new Date(people * 86_400_000).toISOString().slice(0, 10).replaceAll('-', '')
    return [0, ...of].map((kind, n) => {
      const [text = '', rows = 0, said = false] = messageKinds[kind]?.(n) ?? []
      return {
        text: text.replace('77^^^', `77${people}^^^`).replace('19800101', born),
        rows,
        ...(said ? { said: `w${n}-` } : {}),
      }
    })
  })

export const messageFile = (of: readonly GeneratedRow[]): string => of.map(({ text }) => `${text}\r`).join('')
