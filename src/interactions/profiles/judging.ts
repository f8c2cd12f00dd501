import { ownerOf } from '#access'
import { parseSentJson, type Resource } from '#fhir'
import { giveWay, Problem, type ProblemIssue } from '#kernel'
import {
  askedFor,
  claimedIn,
  judgeByProfiles,
  type KeptDefinition,
  type Named,
  namedIn,
  type ProfileQuestion,
} from '#validation'
import { Holdings } from '../terminology/holdings.ts'
import type { GrantedRequest, Rooms } from '../types.ts'

/** More than the largest guides need for one resource; what is kept may have been written to cost. */
const most = { definitions: 500, lookups: 2_000, bytes: 8 * 1024 * 1024 }

type Kept = readonly KeptDefinition[]

/**
 * Judges the resources of one request by profiles: R4's own, and those that are kept here and belong to whoever asks, or to everybody.
 * Another family's profile under the same url judges nobody else. What profiles name is looked up once.
 *
 * @see https://hl7.org/fhir/R4/profiling.html and https://hl7.org/fhir/R4/resource-definitions.html#Meta.profile
 */
export class Judging {
  readonly rooms: Rooms
  readonly #request: GrantedRequest
  /** Most requests never need them. */
  #holdings: Holdings | undefined
  readonly #kept = new Map<string, Promise<Kept>>()

  constructor(request: GrantedRequest, rooms: Rooms) {
    this.rooms = rooms
    this.#request = request
  }

  /**
   * What a resource breaks of the profiles that are asked for, and of those that it claims.
   *
   * @param asked  canonicals
   * @throws Problem `unsupported` · `validate.profile-unknown`; `too-costly` · `validation.profile-too-large` and as `judgeByProfiles`
   */
  async issues(
    resource: Resource,
    asked: readonly string[],
    extent: ProfileQuestion['extent'],
  ): Promise<readonly ProblemIssue[]> {
    const named = askedFor(asked)
    const kept = await this.#keptBy([...named, ...claimedIn(resource)])
    if (named.some(({ canonical }) => !kept.some(each => each.canonical === canonical))) throw unknown()
    return judgeByProfiles(resource, { asked, kept, extent }, ownerOf(this.#request.grant))
  }

  #keptBy(named: readonly Named[]): Promise<Kept> {
    const key = named.map(({ canonical }) => canonical).join('\n')
    const known = this.#kept.get(key) ?? this.#gather(named)
    this.#kept.set(key, known)
    return known
  }

  /** Definitions that are kept, and all that they name in turn. What is not found is left out. */
  async #gather(named: readonly Named[]): Promise<Kept> {
    this.#holdings ??= new Holdings(this.#request, this.rooms)
    const seen = new Set<string>()
    const open = [...named]
    const kept: KeptDefinition[] = []
    let bytes = 0
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const key = `${next.type} ${next.canonical}`
      if (seen.has(key)) continue
      if (seen.add(key).size > most.lookups) throw tooLarge()
      const json = await this.#holdings.kept(next.type, next.canonical)
      await giveWay()
      if (json === undefined) continue
      bytes += json.length
      if (kept.length >= most.definitions || bytes > most.bytes) throw tooLarge()
      kept.push({ canonical: next.canonical, text: json.toString('utf8') })
      open.push(...namedIn(await parseSentJson(json)))
    }
    return kept
  }
}

function unknown(): Problem {
  return new Problem(
    'unsupported',
    'validate.profile-unknown',
    'The profile is none of R4, and none that is kept here and may be searched by this access.',
    { expression: 'profile' },
  )
}

function tooLarge(): Problem {
  return new Problem(
    'too-costly',
    'validation.profile-too-large',
    'A profile has more elements than are looked at, or names more definitions.',
    { expression: 'StructureDefinition.differential' },
  )
}
