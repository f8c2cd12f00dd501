import { Tinypool } from 'tinypool'
import { isLarge, parseResource, type Resource } from '#fhir'
import { FairQueue, isProblem } from '#kernel'
import { checkReferences, createValidator, type Validator } from '#validation'
import { claimedIn } from '../../../src/validation/profiles/named.ts'
import { metWhile, mostMetMs } from '../../turns.ts'

const observation = { resourceType: 'Observation', status: 'final', code: { text: 'x' } }
const components = (count: number, more: object = {}) =>
  Array.from({ length: count }, (_, at) => ({
    code: { coding: [{ system: 'http://loinc.org', code: String(at) }] },
    valueQuantity: { value: at, unit: 'mg' },
    ...more,
  }))

const narrative = (letters: number) => ({
  status: 'generated',
  div: `<div xmlns="http://www.w3.org/1999/xhtml">${'<b>a</b>'.repeat(letters / 8)}</div>`,
})

function resourceOf(value: object): Resource {
  return parseResource(JSON.stringify(value))
}

describe('a large resource that was sent', () => {
  let validator: Validator
  beforeAll(() => {
    validator = createValidator()
  })
  afterAll(() => validator.close())

  it.each<[string, object]>([
    ['valid', { ...observation, component: components(2_000) }],
    ['with an element that is none, at each place', { ...observation, component: components(2_000, { x: 1 }) }],
    ['with one fault at its end', { ...observation, component: [...components(2_000), { valueString: 5 }] }],
    ['with names that are none', { ...observation, ...Object.fromEntries(components(3_000).entries()) }],
    ['with one long text', { ...observation, note: [{ text: 'a'.repeat(10_000_000) }] }],
    [
      'with references to the wrong type',
      { ...observation, performer: Array(3_000).fill({ reference: 'Encounter/1' }) },
    ],
  ])('is judged as any other: %s', async (_, value) => {
    const resource = resourceOf(value)
    expect(await validator.validateSent(resource)).toEqual(validator.validate(resource))
  })

  it.each<[string, (letters: number) => object]>([
    ['its own', letters => ({ ...observation, text: narrative(letters) })],
    ['of what it contains', letters => ({ ...observation, contained: [{ ...observation, text: narrative(letters) }] })],
    [
      'of a section',
      letters => ({ resourceType: 'Composition', section: [{ section: [{ text: narrative(letters) }] }] }),
    ],
    [
      'of an entry',
      letters => ({ resourceType: 'Bundle', entry: [{ resource: { ...observation, text: narrative(letters) } }] }),
    ],
  ])('is one with a long narrative, in which much is looked for: %s', (_, holding) => {
    expect(isLarge(resourceOf(holding(600_000)))).toBe(true)
    expect(isLarge(resourceOf(holding(60_000)))).toBe(false)
  })

  it('is told of as many wrong references that were rewritten as of other faults', async () => {
    const performer = Array.from({ length: 3_000 }, () => ({ reference: 'Encounter/1' }))
    for (const count of [200, performer.length]) {
      const resource = resourceOf({ ...observation, performer: performer.slice(0, count) })
      const told = await checkReferences(validator, resource, '').catch((error: unknown) => error)
      expect(told).toMatchObject({ code: 'validation.failed', issues: validator.validate(resource) })
      expect(told).toMatchObject({ issues: { length: 100 } })
    }
  })

  it('is looked at in the thread for that when its references were rewritten, a small one here', async () => {
    const sent: Resource[] = []
    const counting: Validator = {
      ...validator,
      validateSent: (...asked) => {
        sent.push(asked[0])
        return validator.validateSent(...asked)
      },
    }
    const resources = [10, 3_000].map(count => {
      const derivedFrom = Array.from({ length: count }, (_, at) => ({ reference: `Observation/${at}` }))
      return resourceOf({ ...observation, derivedFrom })
    })
    for (const resource of resources) await checkReferences(counting, resource, '')
    expect(sent).toEqual(resources.slice(1))
  })

  it('keeps the digits of its numbers', async () => {
    const text = JSON.stringify({ ...observation, component: components(2_000) })
    const digits = `1${'0'.repeat(40)}.50`
    const resource = parseResource(text.replace('"value":0,', `"value":${digits},`))
    expect(await validator.validateSent(resource)).toEqual([])
  })

  it('lets others have their turns meanwhile', async () => {
    const resource = resourceOf({ ...observation, component: components(10_000) })
    const { metMs } = await metWhile(() => validator.validateSent(resource))
    expect(metMs).toBeLessThan(mostMetMs)
  })

  it('is validated after the thread was closed, in another one', async () => {
    const large = resourceOf({ ...observation, component: components(2_000) })
    const own = createValidator()
    await own.validateSent(large)
    await own.close()
    expect(await own.validateSent(large)).toEqual([])
    await own.close()
  })

  it('is refused when to validate it takes too long, and the next is validated', async () => {
    const large = resourceOf({ ...observation, component: components(20_000) })
    const hasty = createValidator({ longestMs: 1 })
    const refusal = await hasty.validateSent(large).catch((error: unknown) => error)
    expect(isProblem(refusal, 'too-costly') && refusal.code).toBe('validation.too-costly')
    await hasty.close()
    expect(await validator.validateSent(large)).toEqual([])
  })

  it('is refused when to validate it takes too much memory, and the next is validated', async () => {
    const extension = Array.from({ length: 8 }, (_, at) => ({ url: `http://x.example/${at}`, valueDecimal: at + 0.5 }))
    const large = resourceOf({ ...observation, component: components(20_000, { extension }) })
    const small = resourceOf({ ...observation, component: components(2_000) })
    const narrow = createValidator({ heapMebibytes: 24 })
    const refusal = await narrow.validateSent(large).catch((error: unknown) => error)
    expect(isProblem(refusal, 'too-costly') && refusal.code).toBe('validation.too-costly')
    expect(await narrow.validateSent(small)).toEqual([])
    await narrow.close()
  })

  it('has its time for itself: that of a thread which begins does not count', async () => {
    const large = resourceOf({ ...observation, component: components(2_000) })
    const own = createValidator()
    const { timeout } = AbortSignal
    const { run } = Tinypool.prototype
    const told: string[] = []
    AbortSignal.timeout = ms => {
      told.push('time counts')
      return timeout.call(AbortSignal, ms)
    }
    Tinypool.prototype.run = async function (...of) {
      const done = await run.apply(this, of)
      told.push('the thread has answered')
      return done
    }
    const issues = await own.validateSent(large).finally(() => {
      AbortSignal.timeout = timeout
      Tinypool.prototype.run = run
    })
    await own.close()
    expect(issues).toEqual([])
    expect(told).toEqual(['the thread has answered', 'time counts', 'the thread has answered'])
  })

  it('of one family does not wait for all that another one has sent', async () => {
    const large = resourceOf({ ...observation, component: components(20_000) })
    const small = resourceOf({ ...observation, component: components(2_000) })
    const own = createValidator()
    const { add, charge } = FairQueue.prototype
    const { run } = Tinypool.prototype
    const [theirs, hers] = [12, 2]
    // To read each of them takes the machine as long as it will: one of theirs comes first, and the thread begins when all have come.
    const [first, all] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    let waiting = 0
    FairQueue.prototype.add = function (item) {
      add.call(this, item)
      if (++waiting === 1) first.resolve()
      if (waiting === theirs + hers) all.resolve()
    }
    const turns: { readonly owner: string; readonly tookMs: number }[] = []
    FairQueue.prototype.charge = function (owner, tookMs) {
      charge.call(this, owner, tookMs)
      turns.push({ owner, tookMs })
    }
    Tinypool.prototype.run = async function (...of) {
      await all.promise
      return run.apply(this, of)
    }
    const sent = (count: number, resource: Resource, owner: string) =>
      Array.from({ length: count }, () => own.validateSent(resource, 'errors', owner))
    try {
      const begun = sent(1, large, 'anna')
      await first.promise
      await Promise.all([...begun, ...sent(theirs - 1, large, 'anna'), ...sent(hers, small, 'berta')])
    } finally {
      Object.assign(FairQueue.prototype, { add, charge })
      Tinypool.prototype.run = run
    }
    await own.close()
    const had = (owner: string, before: number) =>
      turns.slice(0, before).reduce((sum, turn) => sum + (turn.owner === owner ? turn.tookMs : 0), 0)
    const last = turns.findLastIndex(({ owner }) => owner === 'berta')
    expect(turns.map(({ owner }) => owner).toSorted()).toEqual([
      ...Array(theirs).fill('anna'),
      ...Array(hers).fill('berta'),
    ])
    // After the one that came first hers are next; as soon as she has had more than they, it is their turn.
    expect(turns[1]?.owner).toBe('berta')
    for (const [before, { owner }] of turns.slice(0, last).entries())
      if (owner === 'anna') expect(had('anna', before)).toBeLessThanOrEqual(had('berta', before))
  })

  it('costs its owner the time of its validation, and not that in which the thread began', async () => {
    const large = resourceOf({ ...observation, component: components(2_000) })
    const own = createValidator()
    const { charge } = FairQueue.prototype
    const { run } = Tinypool.prototype
    const { now } = performance
    const charged: number[] = []
    let [clock, asked] = [1_000, 0]
    FairQueue.prototype.charge = (_, tookMs) => void charged.push(tookMs)
    // It is asked whether it has begun, and then for the resource.
    Tinypool.prototype.run = async function (...of) {
      const done = await run.apply(this, of)
      clock += asked++ % 2 === 0 ? 1_000_000 : 7
      return done
    }
    performance.now = () => clock
    try {
      for (const owner of ['anna', 'berta']) await own.validateSent(large, 'errors', owner)
    } finally {
      FairQueue.prototype.charge = charge
      Tinypool.prototype.run = run
      performance.now = now
    }
    await own.close()
    expect([asked, charged]).toEqual([4, [7, 7]])
  })

  it('waits for its turn, and is refused when that does not come', async () => {
    const large = resourceOf({ ...observation, component: components(2_000) })
    const own = createValidator()
    const both = [own.validateSent(large), own.validateSent(large)]
    const answers = Promise.allSettled(both)
    await own.close()
    expect((await answers).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  })

  it('goes there as well when many of its invariants must be evaluated', async () => {
    const items = Array.from({ length: 150 }, (_, at) => ({
      linkId: String(at),
      type: 'choice',
      enableWhen: [1, 2, 3].map(question => ({ question: String(question), operator: '=', answerInteger: 1 })),
      enableBehavior: 'any',
      initial: [{ valueString: 'x' }],
    }))
    const resource = resourceOf({ resourceType: 'Questionnaire', status: 'draft', item: items })
    const { metMs, result } = await metWhile(() => validator.validateSent(resource))
    expect(result).toEqual(validator.validate(resource))
    expect(metMs).toBeLessThan(mostMetMs)
  })
})

describe('what a resource claims', () => {
  const count = 40_000

  it.each<[string, (many: readonly unknown[]) => object, unknown]>([
    ['entries of a list', component => ({ component }), {}],
    ['profiles', profile => ({ meta: { profile } }), 'http://a.example/p'],
  ])('is sought some values at a time: %s', (_, within, entry) => {
    let looked = 0
    const many = new Proxy(
      Array.from({ length: count }, () => entry),
      {
        get: (all, name) => {
          looked++
          return Reflect.get(all, name)
        },
      },
    )
    const steps = claimedIn({ ...observation, ...within(many) } as Resource, [])
    const inSteps: number[] = []
    for (let done = false; !done; looked = 0) {
      done = steps.next().done === true
      inSteps.push(looked)
    }
    expect(inSteps.reduce((sum, one) => sum + one)).toBeGreaterThanOrEqual(count)
    expect(Math.max(...inSteps)).toBeLessThan(count / 8)
  })
})
