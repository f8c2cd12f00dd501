/**
 * Answers of one house made comparable with another's: what a server draws at random is named by the order in which it
 * first appeared. That is ids of its own making (UUIDs, and what imports derive
 * from a patient's key; no story has such ids) and sealed cursors; the length of a cursor stays.
 */
import type { Answer } from './house.ts'

const madeId =
  /(?<![0-9a-z-])(?:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|[0-9a-f]{32}|[0-9a-f]{16})(?![0-9a-z-])/g
const cursor = /_cursor=([\w-]+)/g
/** A search as an AuditEvent keeps it, in which an id may stand. */
const keptQuery = /("query":"|<query value=")([A-Za-z0-9+/]+=*)"/g
/** Of a search that is too long to be kept whole: it is another one where an id or a cursor stands in it. */
const digest = /("type":"digest","valueString":"|<type value="digest"\/><valueString value=")([0-9a-f]{64})/g
/** The control id that an acknowledgement gives itself. */
const acknowledgement = /(\|ACK[^|\r]*\|)[0-9a-f]{20}(?=\|)/g
/** What an account's own ids begin with is another thing in every house. */
const ownIds = /(?<=begin with )[0-9a-f]{10}(?=-)/g
const pageLink = /(?:"url":"|<url value=")([^"]+_cursor=[\w-]+)(?=["&])/g

export class Transcript {
  /** Ids that this house has given, in the order of their appearance. */
  readonly ids: string[] = []
  /** Page links, below the base. */
  readonly links: string[] = []
  readonly #idNumbers = new Map<string, number>()
  readonly #digestNumbers = new Map<string, number>()
  readonly #cursorNumbers = new Map<string, number>()
  readonly #baseUrl: string

  constructor(baseUrl: string) {
    this.#baseUrl = baseUrl
  }

  /** The answer as text, ready to be compared. */
  read({ status, headers, body }: Answer): string {
    for (const [, url = ''] of body.matchAll(pageLink)) this.links.push(url.slice(this.#baseUrl.length))
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
    return this.#named([status, ...lines, '', body].join('\n'))
  }

  /** A request with this house's ids and links in the places held for them. */
  fill(text: string): string {
    return text
      .replace(/NEWID(\d+)/g, (_, number) => this.ids[Number(number) % Math.max(1, this.ids.length)] ?? 'never-was')
      .replace(/PAGELINK(\d+)/g, (_, number) => this.links.at(-1 - Number(number)) ?? '/Observation?_cursor=never-was')
  }

  #named(text: string): string {
    return text
      .replace(
        keptQuery,
        (_, before: string, query: string) => `${before}«${Buffer.from(query, 'base64').toString()}»"`,
      )
      .replace(ownIds, '«own»')
      .replace(acknowledgement, '$1«control id»')
      .replace(cursor, (_, sealed: string) => `_cursor=«${numberOf(this.#cursorNumbers, sealed)}, ${sealed.length}»`)
      .replace(digest, (_, before: string, hex: string) => `${before}«digest ${numberOf(this.#digestNumbers, hex)}»`)
      .replace(madeId, id => {
        if (!this.#idNumbers.has(id)) this.ids.push(id)
        return `«id ${numberOf(this.#idNumbers, id)}»`
      })
  }
}

function numberOf(numbers: Map<string, number>, text: string): number {
  const number = numbers.get(text) ?? numbers.size
  numbers.set(text, number)
  return number
}
