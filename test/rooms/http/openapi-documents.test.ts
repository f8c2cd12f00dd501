import { catalogue } from '#interactions'
import { Documents } from '../../../src/http/openapi/documents.ts'
import { typeCapabilities } from '../../../src/http/openapi/statement.ts'
import { openWebHouse, type WebHouse } from './web-house.ts'

const baseUrl = 'https://health.example.org'
let house: WebHouse
let names: readonly string[]
beforeAll(async () => {
  house = await openWebHouse({ baseUrl })
  names = (await typeCapabilities(house.rooms, baseUrl)).map(({ type }) => type)
})
afterAll(() => house.close())

function open(charge: (cost: number) => void = () => undefined) {
  const { smart, rooms } = house
  const frame = { smart, webRoutes: smart.routes, baseUrl, catalogue, software: rooms.software }
  const documents = new Documents(frame, () => typeCapabilities(rooms, baseUrl))
  const charged: number[] = []
  const count = (cost: number) => {
    charge(cost)
    charged.push(cost)
  }
  return { charged, of: (types: string | null) => documents.of(types, count) }
}

describe('OpenAPI documents, which strangers may ask for', () => {
  it('are made one after the other, so that many do not share each turn of the event loop', async () => {
    const { of } = open()
    const done: string[] = []
    const [, ...others] = names
    const asked = [others.join(','), 'Goal', 'Flag,Goal', 'Flag']
    await Promise.all(asked.map(types => of(types).then(() => void done.push(types))))
    expect(done).toEqual(asked)
  })

  it('are made once for each choice, in whatever order and however often its types are named', async () => {
    const { of, charged } = open()
    const [first, ...others] = await Promise.all(
      ['Flag,Goal', 'Goal,Flag', 'Goal,Flag,Goal', 'Goal,nothing,Flag'].map(types => of(types)),
    )
    for (const other of others) expect(other.equals(first as Buffer)).toBe(true)
    expect((await of('Flag,Goal,,')).equals(first as Buffer)).toBe(true)
    expect(charged).toEqual([12])
  })

  it('cost nothing where they are told as a whole, or as what families have most of', async () => {
    const { of, charged } = open()
    await of(null)
    const common = await of('common')
    const tags = (JSON.parse(common.toString()) as { tags: readonly { name: string }[] }).tags.map(({ name }) => name)
    const chosen = tags.filter(name => names.includes(name))
    expect(chosen.length).toBeGreaterThan(10)
    expect(await of(chosen.toReversed().join(','))).toBe(common)
    expect(charged).toEqual([])
  })

  it('are kept while others are asked for, up to some megabytes', async () => {
    const { of, charged } = open()
    // Of two and a half megabytes each, all of them more than is kept.
    const [a = '', b = '', c = '', d = '', ...others] = names
    const choices = [a, b, c, d].map(one => `${one},${others}`)
    for (const choice of choices) await of(choice)
    expect(charged.length).toBe(4)
    for (const choice of choices.slice(1)) await of(choice)
    expect(charged.length).toBe(4)
    await of(choices[0] ?? '')
    expect(charged.length).toBe(5)
  })

  it('are not made for who is refused, and are made for others then', async () => {
    const refusals = [new Error('refused')]
    const { of, charged } = open(() => {
      for (const refusal of refusals.splice(0)) throw refusal
    })
    await expect(of('Goal')).rejects.toThrow('refused')
    expect((await of('Goal')).length).toBeGreaterThan(1000)
    expect(charged).toEqual([11])
  })
})
