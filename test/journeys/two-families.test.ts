/**
 * Two families in one house: whoever of the one asks, the answers are the same bytes whether the other family's records and
 * household are there or not – for every type of R4, for what is one patient's, what mother and child share, and what is
 * nobody's patient.
 */
import { isCommonsType } from '#access'
import { type Ask, baseUrl, type House, openHouse } from './non-interference/house.ts'
import { Transcript } from './non-interference/transcript.ts'
import { accountOf, attempts, live, patientOf, questions } from './non-interference/two-families.ts'

/** Definitions and who treats whom are common property: of these an account sees what others wrote. */
const isAboutCommons = ({ url }: Pick<Ask, 'url'>) => isCommonsType(/^\/([A-Z]\w+)/.exec(url)?.[1] ?? '')

describe('two families', () => {
  let both: House
  let alone: House
  beforeAll(async () => {
    both = await openHouse()
    alone = await openHouse()
    await live(both, ['north', 'south'])
    await live(alone, ['north'])
  }, 120_000)
  afterAll(async () => {
    await both.close()
    await alone.close()
  })

  const whoever = [
    ['the account', accountOf('north')],
    ['an app of the mother', patientOf('north-mother')],
    ['an app of the child', patientOf('north-child')],
  ] as const

  it.each(whoever)(
    '%s cannot tell whether the other one is there',
    async (_, grant) => {
      const sides = [both, alone].map(house => ({ house, transcript: new Transcript(baseUrl) }))
      const asked: Ask[] = [...questions().map(url => ({ method: 'GET', url })), ...attempts()]
      const differing: string[] = []
      for (const ask of asked.filter(each => !isAboutCommons(each) && each.url !== '/_history?_count=200')) {
        const answers: string[] = []
        for (const { house, transcript } of sides)
          answers.push(
            transcript.read(await house.ask(grant, ask)).replace(/"lastUpdated":"[^"]*"|last-modified: .*/g, ''),
          )
        if (answers[0] !== answers[1])
          differing.push(`${ask.method} ${ask.url}: ${answers.map(each => each.slice(0, 300)).join(' | ')}`)
      }
      expect(differing).toEqual([])
    },
    120_000,
  )

  it('the other account does find what is its own: there was something to tell', async () => {
    const found = await both.ask(accountOf('south'), { method: 'GET', url: '/Observation?_total=accurate' })
    expect(JSON.parse(found.body).total).toBe(3)
    const home = await both.ask(accountOf('south'), { method: 'GET', url: '/List/south-home' })
    expect(home.status).toBe(200)
  })
})
