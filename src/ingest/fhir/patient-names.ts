import { parseReference } from '#fhir'

/** How a file may name the patient that it is imported for. */
export class PatientNames {
  readonly #names: ReadonlySet<string>
  readonly #identifiers: ReadonlySet<string>
  readonly #baseUrl: string
  /** The file knows its patient by an address, so another address is another patient's. */
  readonly #isAddressed: boolean

  /**
   * @param names        full URLs and relative references
   * @param identifiers  `system|value`
   * @param baseUrl      of this server
   */
  constructor(names: ReadonlySet<string>, identifiers: ReadonlySet<string>, baseUrl: string) {
    this.#names = names
    this.#identifiers = identifiers
    this.#baseUrl = baseUrl
    this.#isAddressed = [...names].some(isAddress)
  }

  /**
   * Whether a reference leads to the patient: a version of them is they; what is relative is first read as below the address
   * of the entry that says it (https://hl7.org/fhir/R4/bundle.html#references).
   *
   * @param fullUrl  of the entry in which it stands
   */
  has(reference: string, fullUrl?: string): boolean {
    const plain = unversioned(reference)
    if (this.#names.has(plain) || this.#names.has(resolved(plain, fullUrl))) return true
    const { kind, type, id, url } = parseReference(plain, this.#baseUrl)
    if (type !== 'Patient') return false
    if (kind === 'conditional') return this.hasIdentifier(identifierIn(url))
    const isHere = kind === 'local' && isAddress(plain)
    return (isHere || (kind === 'absolute' && !this.#isAddressed)) && this.#names.has(`Patient/${id}`)
  }

  /** Whether a reference without an address has a number of the patient. */
  hasIdentifier(identifier: { readonly system?: string; readonly value?: string }): boolean {
    const { system = '', value = '' } = identifier
    return value !== '' && this.#identifiers.has(`${system}|${value}`)
  }
}

/**
 * What a conditional reference asks for, if it asks for an identifier and nothing else.
 *
 * @see https://hl7.org/fhir/R4/http.html#trules
 */
export function identifierIn(criteria: string | undefined): { readonly system?: string; readonly value?: string } {
  const [[name, token = ''] = [], ...more] = [...new URLSearchParams(criteria)]
  const [system = '', value] = token.split('|')
  return name === 'identifier' && more.length === 0 && value !== undefined && value !== '' ? { system, value } : {}
}

function isAddress(text: string): boolean {
  return text.startsWith('http://') || text.startsWith('https://')
}

/** What a reference names a part of: `Binary/1` of `Binary/1#page=2`. A contained resource is named by its fragment alone. */
export function splitFragment(reference: string): readonly [whole: string, fragment: string] {
  const at = reference.indexOf('#')
  return at <= 0 ? [reference, ''] : [reference.slice(0, at), reference.slice(at)]
}

/** A reference without the version and the part that it names, and as the others are written that lead to the same. */
export function unversioned(reference: string): string {
  const plain = plainForm(splitFragment(reference)[0])
  const at = plain.indexOf('/_history/')
  return at < 0 ? plain : plain.slice(0, at)
}

/** Case tells no two UUIDs apart (https://www.rfc-editor.org/rfc/rfc9562#section-4), and `./` leads where one stands. */
function plainForm(reference: string): string {
  if (/^urn:(?:uuid|oid):/i.test(reference)) return reference.toLowerCase()
  return reference.startsWith('./') ? reference.slice(2) : reference
}

const place = /\/[A-Z][A-Za-z]+\/[A-Za-z0-9\-.]{1,64}$/

/** A relative reference as below the address of the entry that says it, or its host; any other as it stands. */
export function resolved(reference: string, fullUrl: string | undefined): string {
  if (fullUrl === undefined || !isAddress(fullUrl)) return reference
  if (isRooted(reference)) return URL.canParse(fullUrl) ? new URL(reference, fullUrl).href : reference
  if (!/^[A-Z][A-Za-z]+\/[A-Za-z0-9\-.]{1,64}$/.test(reference)) return reference
  return place.test(fullUrl) ? `${fullUrl.replace(place, '')}/${reference}` : reference
}

/** `/fhir/Binary/1`, which leads from the root of a host (https://www.rfc-editor.org/rfc/rfc3986#section-4.2). */
function isRooted(reference: string): boolean {
  return /^\/(?!\/)/.test(reference)
}

/** A reference without a host to lead from, as far as it names a resource. */
export function withoutRoot(reference: string): string {
  return isRooted(reference) ? (place.exec(reference)?.[0].slice(1) ?? reference) : reference
}

/** Whether a link leads to whatever has its name where it is read: it has no host of its own. */
export function isRelative(link: string): boolean {
  return !/^(?:[a-z][a-z0-9+.-]*:|\/\/|#)/i.test(link)
}
