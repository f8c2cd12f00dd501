/** What an account asks of people whom others keep, by its pages: answered, and worked on, as for an id that nobody has. */
import { type Answer, type House, openHouse, password } from './house.ts'
import { csrfOf, emilOf, type Member, newMember } from './members.ts'

let house: House
let asking: Member
let other: Member
const calls: string[] = []
beforeAll(async () => {
  house = await openHouse()
  asking = await newMember(house, 'Anna')
  other = await newMember(house, 'Bert')
  watch(house.store, ['document', 'documents', 'newest', 'versions', 'commit'])
})
afterAll(() => house.close())

/** Notes what a store is asked, in order. */
function watch(store: object, names: readonly string[]): void {
  for (const name of names) {
    const asked: unknown = Reflect.get(store, name)
    if (typeof asked !== 'function') throw new Error(`a store has no ${name}`)
    Reflect.set(store, name, (...given: unknown[]) => {
      calls.push(name)
      return asked.apply(store, given)
    })
  }
}

type Form = Readonly<Record<string, string | string[]>>

const forms: Readonly<Record<string, readonly [path: string, form: (patient: string) => Form]>> = {
  give: ['/account/people/give', patient => ({ patient, role: 'nothing' })],
  'give, and stay': ['/account/people/give', patient => ({ patient, role: 'viewer', category: ['vital-signs'] })],
  invite: ['/account/invitations', patient => ({ patient, role: 'guardian' })],
  'invite a viewer': ['/account/invitations', patient => ({ patient, role: 'viewer', category: ['vital-signs'] })],
  'say as what they keep them': [
    '/account/guardians/change',
    patient => ({ patient, guardian: other.account, role: 'member' }),
  ],
  'end that they keep them': ['/account/guardians/end', patient => ({ patient, guardian: other.account })],
  'keep them no more': ['/account/guardians/end', patient => ({ patient, guardian: asking.account })],
}

async function asked(name: string, patient: string): Promise<{ answer: Omit<Answer, 'headers'>; calls: string[] }> {
  const [path, form] = forms[name] ?? ['', () => ({})]
  const csrf = await csrfOf(asking.visitor)
  await house.record.flush()
  calls.length = 0
  const { status, location, text } = await asking.visitor.post(path, { csrf, current: password, ...form(patient) })
  const worked = [...calls]
  await house.record.flush()
  return { answer: { status, location, text: text.replaceAll(patient, 'id') }, calls: worked }
}

describe('people whom others keep', () => {
  it.each(Object.keys(forms))('%s', async name => {
    const foreign = emilOf(other)
    const nobody = [...foreign].reverse().join('')
    // What is asked for the first time may be looked up once and remembered.
    await asked(name, `${nobody}-0`)
    const ghost = await asked(name, nobody)
    expect(await asked(name, foreign)).toEqual(ghost)
    expect(ghost.calls.length).toBeGreaterThan(0)
  })
})
