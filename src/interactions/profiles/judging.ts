import { ownerOf } from '#access'
import type { Resource } from '#fhir'
import { inSlices, Problem, type ProblemIssue } from '#kernel'
import {
  type Claims,
  claimedIn,
  gatherDefinitions,
  judgeByProfiles,
  type KeptDefinition,
  lookedUp,
  type ProfileQuestion,
} from '#validation'
import { Holdings } from '../terminology/holdings.ts'
import type { GrantedRequest, Rooms } from '../types.ts'

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

  /** On whose behalf it is judged. */
  get owner(): string {
    return ownerOf(this.#request.grant)
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
    const kept = await this.#keptBy(await inSlices(claimedIn(resource, asked)))
    if (lookedUp(asked).some(canonical => !kept.some(each => each.canonical === canonical))) throw unknown()
    // Whoever asks is told what R4 wants of vital signs; a phone's reading without a category is kept all the same.
    const isStrict = extent === 'warnings-too'
    return judgeByProfiles(resource, { asked, kept, extent, isStrict }, this.owner)
  }

  #keptBy(claims: Claims): Promise<Kept> {
    const { named, types, urls } = claims
    const key = [...named.map(({ canonical }) => canonical), '', ...types, '', ...urls].join('\n')
    const known = this.#kept.get(key) ?? this.#gather(claims)
    this.#kept.set(key, known)
    return known
  }

  #gather(claims: Claims): Promise<Kept> {
    this.#holdings ??= new Holdings(this.#request, this.rooms)
    return gatherDefinitions(claims, this.#holdings)
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
