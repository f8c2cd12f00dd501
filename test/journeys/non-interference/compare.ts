/** Puts the same requests to two stores and says where their answers differ. */
import type { Grant } from '#access'
import type { Resource } from '#fhir'
import { openMongoKeys, openMongoStore } from '#store'
import { newMongoDatabase } from '../../contracts/mongo-server.ts'
import { actBetween } from './acts.ts'
import { withFace } from './face.ts'
import { type Ask, baseUrl, grantOf, type House, openHouse, type Rests, tell, teller } from './house.ts'
import { askOf, isQuestion } from './requests.ts'
import { type Part, partOf, tellStory, whole } from './story.ts'
import type { Token } from './tokens.ts'
import { Transcript } from './transcript.ts'

/** A case, as numbers that stand for chapters and requests. */
export interface Family {
  readonly story: readonly (number | null)[]
  readonly token: Token
  readonly part: number
  readonly asks: readonly (number | null)[]
  readonly indexes: Indexes
}

/**
 * Whether compartments are searched by an index for each or by one of all; or in the store with everybody by one of all, of which all
 * or only a slice at a time is in memory, and in the other by an index for each. Page links of the two kinds differ in length.
 */
export type Indexes = 'apart' | 'together' | 'mixed' | 'slices'

/** What was asked in all, to tell whether it could have found anything. */
export interface Tally {
  asked: number
  readonly statuses: Map<string, number>
  /** What others did between the requests, by how it was answered. */
  readonly acts: Map<string, number>
  questions: number
  wouldLeak: number
}

export interface Difference {
  readonly scopes: string
  readonly commons: Part['commons']
  readonly ask: Ask
  /** The answers from shortly before where they part. */
  readonly onWhole: string
  readonly onPart: string
}

const shownBefore = 200
const shown = 800

function fromParting(answer: string, other: string): string {
  let at = 0
  while (at < answer.length && answer[at] === other[at]) at++
  if (answer === other) at = 0
  return `${answer.slice(0, 3)} … ${answer.slice(Math.max(0, at - shownBefore), at + shown)}`
}

const askMs = 1000

/** At the end: who saw hers, and what became of it. */
const lastAsks: readonly Ask[] = [
  '/AuditEvent?_count=1000',
  '/AuditEvent/_history?_count=1000',
  '/_history?_count=1000',
].map(url => ({ method: 'GET', url }))

export function newTally(): Tally {
  return { asked: 0, statuses: new Map(), acts: new Map(), questions: 0, wouldLeak: 0 }
}

/** By what a house is asked, or on what the one rests that holds everybody; else below HTTP and in memory. */
export type Where = 'http' | 'mongodb'

/** The first difference under the family's token, if there is one; a fault counts as one. */
export async function differences(family: Family, tally: Tally, where?: Where): Promise<readonly Difference[]> {
  const { token } = family
  const part = token.parts[family.part % token.parts.length]
  if (part === undefined) throw new TypeError('a token without a part to compare with')
  const drawn = family.asks.filter(number => number !== null)
  const asks = drawn.map(askOf)
  const story = tellStory(family.story.filter(number => number !== null))
  const texts = asks.map(({ body = '' }) => body)
  await using houses = await openBoth(where, family.indexes)
  await tell(houses.onWhole, whole(story))
  await tell(houses.onPart, partOf(story, { ...part, texts }))
  const { consent } = token
  if (consent !== undefined) for (const house of [houses.onWhole, houses.onPart]) await rule(house, consent)
  const both = new Both(houses, token.grant, family.indexes === 'mixed' || family.indexes === 'slices')
  for (const [at, ask] of [...asks, ...lastAsks].entries()) {
    // What others do happens where there are others.
    const acted = await actBetween(houses.onWhole, drawn[at] ?? at)
    if (acted !== undefined) tally.acts.set(String(acted), (tally.acts.get(String(acted)) ?? 0) + 1)
    const [onWhole, onPart] = await both.put(ask)
    count(tally, onWhole)
    if (onWhole !== onPart || onWhole.startsWith('5')) return [differenceOf(token, part, ask, onWhole, onPart)]
  }
  await countLeaks(houses, asks, tally)
  return []
}

/** Whoever keeps Anna says what is withheld of hers. */
async function rule({ rooms: { record } }: House, consent: Resource): Promise<void> {
  await record.addPatientTo('keeper', 'anna')
  const keeper = grantOf('user/*.cruds', { account: 'keeper', patients: ['anna'] })
  await record.writer(keeper).transact(txn => txn.create(consent))
}

function differenceOf({ scopes }: Token, { commons }: Part, ask: Ask, onWhole: string, onPart: string): Difference {
  return { scopes, commons, ask, onWhole: fromParting(onWhole, onPart), onPart: fromParting(onPart, onWhole) }
}

const oneSliceAtATime = { searchedApart: 0, populationBytes: 1 }

/** The first answer to whoever sees everybody that is another one where only a slice of the index is in memory at a time. */
export async function differencesOfSlices(
  family: Pick<Family, 'story' | 'asks'>,
  { scopes, grant }: Pick<Token, 'scopes' | 'grant'>,
  tally: Tally,
): Promise<readonly Omit<Difference, 'commons'>[]> {
  const story = whole(tellStory(family.story.filter(number => number !== null)))
  await using all = await houseTold(story, { searchedApart: 0 })
  await using sliced = await houseTold(story, oneSliceAtATime)
  // A page link says where it is in the one way or in the other; what it leads to is the same.
  const both = new Both({ onWhole: all.house, onPart: sliced.house }, grant, true)
  for (const ask of family.asks.filter(number => number !== null).map(askOf)) {
    const [onWhole, onPart] = await both.put(ask)
    count(tally, onWhole)
    if (isOfAccess(ask)) continue
    if (onWhole === onPart && !onWhole.startsWith('5')) continue
    return [{ scopes, ask, onWhole: fromParting(onWhole, onPart), onPart: fromParting(onPart, onWhole) }]
  }
  return []
}

/**
 * One act that reaches two patients is told in the audits of both at one instant; what is of one instant is put in order by ids, which each
 * house draws for itself. So what is asked about access says nothing of slices here.
 */
function isOfAccess({ url, body = '' }: Ask): boolean {
  return `${url} ${body}`.includes('AuditEvent')
}

async function houseTold(story: ReturnType<typeof whole>, how: Parameters<typeof openHouse>[0]) {
  const house = await openHouse(how)
  await tell(house, story)
  return { house, [Symbol.asyncDispose]: () => house.close() }
}

interface Houses {
  readonly onWhole: House
  readonly onPart: House
}

async function openBoth(where: Where | undefined, indexes: Indexes): Promise<Houses & AsyncDisposable> {
  const open = async (isTogether: boolean, rests?: Rests) => {
    const how = indexes === 'slices' ? oneSliceAtATime : { searchedApart: 0 }
    const house = await openHouse(isTogether ? how : {}, rests)
    return where === 'http' ? withFace(house) : house
  }
  const rests = where === 'mongodb' ? await restsOnMongo() : undefined
  const [onWhole, onPart] = await Promise.all([open(indexes !== 'apart', rests), open(indexes === 'together')])
  const dispose = async () => {
    await onWhole.close()
    await onPart.close()
    await rests?.remove()
  }
  return { onWhole, onPart, [Symbol.asyncDispose]: dispose }
}

async function restsOnMongo(): Promise<Rests & { remove(): Promise<void> }> {
  const [data, keys] = [await newMongoDatabase(), await newMongoDatabase()]
  const remove = async () => {
    await data.remove()
    await keys.remove()
  }
  return { store: await openMongoStore({ uri: data.uri }), keys: await openMongoKeys({ uri: keys.uri }), remove }
}

/** One token's conversation with both stores. */
class Both {
  readonly #sides: readonly { house: House; transcript: Transcript }[]
  readonly #grant: Grant
  readonly #anyLength: boolean

  /** @param anyLength  whether page links may be of different length */
  constructor({ onWhole, onPart }: Houses, grant: Grant, anyLength: boolean) {
    this.#anyLength = anyLength
    this.#sides = [onWhole, onPart].map(house => ({ house, transcript: new Transcript(baseUrl) }))
    this.#grant = grant
  }

  async put(ask: Ask): Promise<[string, string]> {
    const answers: string[] = []
    for (const { house, transcript } of this.#sides) {
      await house.settle(askMs)
      answers.push(transcript.read(await house.ask(this.#grant, filled(ask, transcript))))
    }
    const [onWhole = '', onPart = ''] = this.#anyLength ? answers.map(withoutLengths) : answers
    return [onWhole, onPart]
  }
}

/** Of opaque texts, as a transcript names them, and so of the whole where it is counted. */
const withoutLengths = (answer: string) =>
  answer.replaceAll(/«(\d+), \d+»/g, '«$1»').replace(/^content-length: \d+$/m, 'content-length')

function filled(ask: Ask, transcript: Transcript): Ask {
  const { url, body } = ask
  return { ...ask, url: transcript.fill(url), ...(body === undefined ? {} : { body: transcript.fill(body) }) }
}

function count(tally: Tally, answer: string): void {
  const status = answer.slice(0, 3)
  tally.asked++
  tally.statuses.set(status, (tally.statuses.get(status) ?? 0) + 1)
}

/** The questions again for somebody who sees everybody: where these differ there was something to leak. */
async function countLeaks(houses: Houses, asks: readonly Ask[], tally: Tally): Promise<void> {
  const both = new Both(houses, teller, true)
  for (const ask of asks.filter(isQuestion)) {
    const [onWhole, onPart] = await both.put(ask)
    tally.questions++
    if (onWhole !== onPart) tally.wouldLeak++
  }
}
