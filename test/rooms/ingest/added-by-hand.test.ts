import type { Resource } from '#fhir'
import { everything, found, ingested, ofPatient, openHouse, type TestHouse } from './house.ts'
import { message } from './reading.ts'

let house: TestHouse
let ids = 0
beforeEach(async () => {
  house = await openHouse()
  await send('ADT^A04')
})

type Change = (stood: Resource) => Resource

const pid = 'PID|1||4711^^^HOSP^MR||Smith^Anna||20150607|F'
/** A moment of its own for each that says something: the clock of the house is at it. */
const next = () => {
  house.clock.advance(60_000)
  return new Date(house.clock.nowMs()).toISOString().replace(/[-:T]|\.\d+Z/g, '')
}
const sendAs = async (facility: string, event: string, time: string, ...segments: string[]) => {
  const head = `MSH|^~\\&|REG|${facility}|KIN|HOME|${time}+0000||${event}|A${++ids}|P|2.5.1`
  const { ack } = await house.ingest.hl7v2({ grant: everything(), message: message(head, pid, ...segments) })
  expect(ack).toMatch(/MSA\|AA/)
  return ack
}
const send = (event: string, ...segments: string[]) => sendAs('HOSP', event, next(), ...segments)
const only = async (type: string): Promise<Resource & { id: string }> => {
  const all = (await found(house.record, type)).filter(one => one.id !== house.anna && one.id !== house.bert)
  expect(all).toHaveLength(1)
  return all[0] as Resource & { id: string }
}
const edit = async (type: string, change: Change) => {
  next()
  const { id, ...stood } = await only(type)
  const edited = { ...change(stood), id, resourceType: type }
  await house.record.writer(everything()).transact(txn => txn.update(type, id, edited))
}
const listed = async (type: string, name: string) =>
  ((await only(type))[name] as readonly { text?: string; display?: string; value?: string }[] | undefined)?.map(
    ({ text, display, value }) => text ?? display ?? value,
  )
const adding =
  (name: string, ...entries: object[]): Change =>
  stood => ({ ...stood, [name]: [...((stood[name] as object[] | undefined) ?? []), ...entries] })
const withoutMeta =
  (change: Change): Change =>
  stood => {
    const { meta: _, ...rest } = change(stood)
    return rest
  }

const result = (note: string, value = '90') => [
  'OBR|1||F1|P^Panel^L|||20260301',
  `OBX|1|NM|G^Glucose^L||${value}|mg/dL|||||F`,
  ...(note === '' ? [] : [`NTE|1||${note}`]),
]
const visit = (reason: string, number = 'V1') => [`PV1|1|I|WARD1${'|'.repeat(16)}${number}`, `PV2|||${reason}`]

/** A message with one entry of a list, and the list that has it. */
const lists: [string, string, string, (words: string) => string[], (words: string) => object][] = [
  ['ORU^R01', 'Observation', 'note', result, text => ({ text })],
  [
    'ORU^R01',
    'Observation',
    'performer',
    words => ['OBR|1||F1|P^Panel^L|||20260301', `OBX|1|NM|G^Glucose^L||90|mg/dL|||||F|||||7^${words}`],
    display => ({ display }),
  ],
  ['ADT^A08', 'Encounter', 'reasonCode', words => visit(`^${words}`), text => ({ text })],
  [
    'OML^O21',
    'ServiceRequest',
    'reasonCode',
    words => ['ORC|NW|O1|F1', `OBR|1|O1|F1|T^Test^L${'|'.repeat(27)}^${words}`],
    text => ({ text }),
  ],
  [
    'ORU^R01',
    'DiagnosticReport',
    'resultsInterpreter',
    words => [`OBR|1||F1|P^Panel^L|||20260301${'|'.repeat(25)}7&${words}`, 'OBX|1|NM|G^Glucose^L||90|mg/dL|||||F'],
    display => ({ display }),
  ],
]

describe.each(lists)('%s: %s.%s', (event, type, name, said, entry) => {
  const one = said('One')
  const mine = entry('Mine')

  it.each<[string, (change: Change) => Change]>([
    ['as it was read', change => change],
    ['without meta', withoutMeta],
  ])('keeps what somebody has added, written %s, and takes what is said anew', async (_, written) => {
    await send(event, ...one)
    const [first] = (await listed(type, name)) ?? []
    await edit(type, written(adding(name, mine)))
    const ack = await send(event, ...said('Two'))
    const now = await listed(type, name)
    expect(now).toHaveLength(2)
    expect(now).toContain('Mine')
    expect(now).not.toContain(first)
    expect(ack).not.toMatch(new RegExp(`${type}.${name} was changed here`))
    // It is not the message's from then on.
    await send(event, ...said('Three'))
    const last = await listed(type, name)
    expect(last).toHaveLength(2)
    expect(last).toContain('Mine')
    expect(last).not.toEqual(expect.arrayContaining([now?.find(words => words !== 'Mine')]))
  })

  it('makes no version of what is said again at the same time, and changes no list of what is said again later', async () => {
    await send(event, ...one)
    await edit(type, adding(name, mine))
    const stood = await only(type)
    const later = next()
    await sendAs('HOSP', event, later, ...one)
    const first = await only(type)
    expect(first[name]).toEqual(stood[name])
    expect(first[name]).toHaveLength(2)
    await sendAs('HOSP', event, later, ...one)
    expect(await only(type)).toEqual(first)
  })

  it('keeps what was added at different times', async () => {
    await send(event, ...one)
    await edit(type, adding(name, mine))
    await send(event, ...said('Two'))
    await edit(type, adding(name, entry('Mine too')))
    await send(event, ...said('Three'))
    expect(await listed(type, name)).toEqual(expect.arrayContaining(['Mine', 'Mine too']))
    expect(await listed(type, name)).toHaveLength(3)
  })

  it('takes nothing of what was added, when a message comes late', async () => {
    const early = next()
    await send(event, ...one)
    await edit(type, adding(name, mine))
    await sendAs('HOSP', event, early, ...said('Before'))
    expect(await listed(type, name)).toContain('Mine')
    await send(event, ...said('Two'))
    expect(await listed(type, name)).toContain('Mine')
    expect(await listed(type, name)).toHaveLength(2)
  })
})

it('`""` takes away what the sender gave, and leaves what somebody has added', async () => {
  await send('ADT^A01', ...visit('^One'))
  await edit('Encounter', adding('reasonCode', { text: 'Mine' }))
  await send('ADT^A08', ...visit('""'))
  expect(await listed('Encounter', 'reasonCode')).toEqual(['Mine'])
})

it('what somebody has taken away of what they had added stays away', async () => {
  await send('ADT^A01', ...visit('^One'))
  await edit('Encounter', adding('reasonCode', { text: 'Mine' }))
  await edit('Encounter', stood => ({ ...stood, reasonCode: [{ text: 'Mine too' }] }))
  await send('ADT^A08', ...visit('^Two'))
  expect(await listed('Encounter', 'reasonCode')).toEqual(['Mine too', 'Two'])
})

it('what somebody has completed is there once when it is said again', async () => {
  await send('ORU^R01', ...result('One'))
  await edit('Observation', stood => ({
    ...stood,
    note: [{ ...(stood.note as object[])[0], authorString: 'Dr Mine', time: '2026-03-01' }],
  }))
  await send('ORU^R01', ...result('One'))
  expect((await only('Observation')).note).toMatchObject([{ text: 'One', authorString: 'Dr Mine' }])
})

it('a correction of a value leaves a note, and takes the flags of the value before', async () => {
  await send('ORU^R01', ...result('One'))
  await edit('Observation', stood => ({
    ...adding('note', { text: 'Mine' })(stood),
    interpretation: [{ text: 'Low for her' }],
  }))
  await send('ORU^R01', ...result('One', '190'))
  const observation = await only('Observation')
  expect(observation).toMatchObject({ valueQuantity: { value: 190 }, note: [{ text: 'One' }, { text: 'Mine' }] })
  expect(observation).not.toHaveProperty('interpretation')
})

it('a relative keeps the number that somebody has added, and not one that was changed', async () => {
  const relative = (number: string) => `NK1|1|Smith^Eve|MTH||^PRN^PH^^^^${number}`
  await send('ADT^A04', relative('1'))
  await edit('RelatedPerson', adding('telecom', { system: 'phone', value: 'Mine', use: 'mobile' }))
  await send('ADT^A08', relative('2'))
  expect(await listed('RelatedPerson', 'telecom')).toEqual(['Mine', '2'])
  await edit('RelatedPerson', stood => ({
    ...stood,
    telecom: (stood.telecom as Resource[]).map(one => (one.value === '2' ? { ...one, value: '22' } : one)),
  }))
  const ack = await send('ADT^A08', relative('3'))
  expect(await listed('RelatedPerson', 'telecom')).toEqual(['Mine', '3'])
  expect(ack).toContain('RelatedPerson.telecom was changed here before')
})

describe('two senders of one visit', () => {
  const ofTwo = (reason: string) => visit(`^${reason}`, 'V1^^^&1.2.3.4&ISO')

  it.each([[['HOSP', 'CLINIC']], [['CLINIC', 'HOSP']]])(
    'each takes away its own: %s',
    async ([first = '', second = '']) => {
      await sendAs(first, 'ADT^A01', next(), ...ofTwo('First'))
      await sendAs(second, 'ADT^A08', next(), ...ofTwo('Second'))
      expect(await listed('Encounter', 'reasonCode')).toEqual(['First', 'Second'])
      await edit('Encounter', adding('reasonCode', { text: 'Mine' }))
      await sendAs(first, 'ADT^A08', next(), ...ofTwo('Third'))
      expect(await listed('Encounter', 'reasonCode')).toEqual(['Second', 'Mine', 'Third'])
      await sendAs(second, 'ADT^A08', next(), ...ofTwo('Fourth'))
      expect(await listed('Encounter', 'reasonCode')).toEqual(['Mine', 'Third', 'Fourth'])
    },
  )
})

it('of a file of messages, as of a message', async () => {
  const file = (at: string, reason: string) =>
    message(`MSH|^~\\&|REG|HOSP|KIN|HOME|${at}+0000||ADT^A08|A${++ids}|P|2.5.1`, pid, ...visit(`^${reason}`)).toString()
  const [patient = ''] = (await found(house.record, 'Patient', 'identifier=4711')).map(({ id }) => id)
  await ingested(house, patient, everything(), file(next(), 'One'))
  await edit('Encounter', adding('reasonCode', { text: 'Mine' }))
  await ingested(house, patient, everything(), file(next(), 'Two'))
  expect(await listed('Encounter', 'reasonCode')).toEqual(['Mine', 'Two'])
})

describe('a FHIR file', () => {
  const file = (minute: number, ...notes: string[]) =>
    JSON.stringify({
      resourceType: 'Bundle',
      type: 'collection',
      entry: [
        { resource: { resourceType: 'Patient', id: 'p' } },
        {
          resource: {
            resourceType: 'Condition',
            id: 'c1',
            meta: { lastUpdated: `2026-03-01T12:${minute}:00Z` },
            subject: { reference: 'Patient/p' },
            code: { text: 'Cough' },
            category: [{ text: 'problem' }],
            ...(notes.length === 0 ? {} : { note: notes.map(text => ({ text })) }),
          },
        },
      ],
    })

  it('brings its own notes and leaves those of others', async () => {
    await ingested(house, house.anna, everything(), file(10, 'One', 'Two'))
    await edit('Condition', adding('note', { text: 'Mine' }))
    await ingested(house, house.anna, ofPatient(house.anna), file(20, 'Two', 'Three'))
    expect(await listed('Condition', 'note')).toEqual(['Two', 'Mine', 'Three'])
    await ingested(house, house.anna, everything(), file(30))
    expect(await listed('Condition', 'note')).toEqual(['Mine'])
    await ingested(house, house.anna, everything(), file(25, 'Late'))
    expect(await listed('Condition', 'note')).toEqual(['Mine'])
  })
})
