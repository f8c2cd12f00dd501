/** Code systems that are rules rather than lists – UCUM, language tags, media types – and those that Node's own tables know. */
import type { ConceptProperty } from '../definitions.ts'
import { canonicalUnit, isUcum } from '../ucum.ts'
import type { CodeSystem, Concept } from './code-system.ts'

/** What a rule says of a code. */
interface Read {
  readonly display?: string | undefined
  readonly properties?: readonly ConceptProperty[]
}
type Reading = (code: string) => Read | undefined

const nothing: ReadonlySet<string> = new Set()
const longest = 256

function plain(code: string, { display, properties = [] }: Read): Concept {
  return {
    code,
    display,
    designations: [],
    properties,
    parents: [],
    children: [],
    isAbstract: false,
    isInactive: false,
  }
}

function grammar(url: string, name: string, read: Reading, isCaseSensitive = true): CodeSystem {
  return {
    url,
    name,
    isCaseSensitive,
    isComplete: true,
    isSubsumptive: true,
    properties: nothing,
    find: code => {
      const found = code.length > longest ? undefined : read(code)
      return found === undefined ? undefined : plain(code, found)
    },
  }
}

/** A code system that is listed when it is first asked for; `isComplete` is whether all its codes are in the list. */
export function list(
  url: string,
  name: string,
  entries: () => Iterable<readonly [code: string, display?: string | undefined]>,
  isComplete = true,
): CodeSystem {
  let made: ReadonlyMap<string, Concept> | undefined
  const concepts = () => {
    made ??= new Map(Array.from(entries(), ([code, display]) => [code, plain(code, { display })]))
    return made
  }
  return {
    url,
    name,
    isCaseSensitive: true,
    isComplete,
    isSubsumptive: true,
    properties: nothing,
    find: code => concepts().get(code),
    get concepts() {
      return concepts().values().toArray()
    },
  }
}

const privateUse = /^x(-[a-z0-9]{1,8})+$/i
const grandfathered: ReadonlySet<string> = new Set(
  'en-gb-oed i-ami i-bnn i-default i-enochian i-hak i-klingon i-lux i-mingo i-navajo i-pwn i-tao i-tay i-tsu sgn-be-fr sgn-be-nl sgn-ch-de'.split(
    ' ',
  ),
)

/** @see https://www.rfc-editor.org/info/bcp47, section 2.1 */
function readLanguage(code: string): Read | undefined {
  if (privateUse.test(code) || grandfathered.has(code.toLowerCase())) return {}
  try {
    return { display: new Intl.DisplayNames('en', { type: 'language', fallback: 'none' }).of(code) }
  } catch {
    // What is no language tag has no name.
    return undefined
  }
}

/** Units have one property that is asked for: what they measure, in base units. @see https://hl7.org/fhir/R4/ucum.html#filters */
function readUnit(code: string): Read | undefined {
  if (!isUcum(code)) return undefined
  const canonical = canonicalUnit(code) === undefined ? [] : [{ code: 'canonical', valueString: baseUnits(code) }]
  return { display: code, properties: canonical }
}

/** `km` and `m` are `m`: what does not tell by which power is by the first. */
function baseUnits(code: string): string {
  const unit = canonicalUnit(code)?.unit ?? code
  return unit.replace(/(?<=[^\d.-])1(?=\.|$)/g, '')
}

/** Media types with their parameters. @see https://www.rfc-editor.org/rfc/rfc6838#section-4.2 and RFC 2045, section 5.1 */
const restrictedName = '[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}'
const parameter = String.raw`\s{0,8};\s{0,8}[!#$%&'*+.^_\x60|~A-Za-z0-9-]+=(?:[!#$%&'*+.^_\x60|~A-Za-z0-9-]+|"[^"\\]*")`
const mediaType = new RegExp(`^${restrictedName}/${restrictedName}(?:${parameter})*$`)

/** Funds, metals and the like, and what R4 lists although ISO does not, beside what Node's tables have as in use. */
const moreCurrencies =
  'BOV CHE CHW CLF COU GGP IMP JEP MXV TVD USN UYI UYW VEF XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA'.split(' ')

/** What ISO writes where no currency takes part. */
const noCurrency = 'X'.repeat(3)

function* currencies(): Generator<readonly [string, string]> {
  const names = new Intl.DisplayNames('en', { type: 'currency' })
  for (const code of new Set([...Intl.supportedValuesOf('currency'), ...moreCurrencies, noCurrency]))
    yield [code, names.of(code) ?? code]
}

const systems: readonly CodeSystem[] = [
  {
    ...grammar('http://unitsofmeasure.org', 'UCUM', readUnit),
    properties: new Set(['canonical']),
    plain: (property, value) => (property === 'canonical' ? baseUnits(value) : value),
  },
  grammar('urn:ietf:bcp:47', 'Tags for Identifying Languages', readLanguage, false),
  grammar('urn:ietf:bcp:13', 'Media Types', code => (mediaType.test(code) ? { display: code } : undefined), false),
  grammar('urn:ietf:rfc:3986', 'Uniform Resource Identifiers', code =>
    /^[a-z][a-z0-9+.-]*:[!-~]+$/i.test(code) ? {} : undefined,
  ),
  list('urn:iso:std:iso:4217', 'Currencies', currencies),
  list('https://www.iana.org/time-zones', 'Time Zones', () =>
    Intl.supportedValuesOf('timeZone').map(zone => [zone, zone]),
  ),
]

const byUrl = new Map(systems.map(system => [system.url, system]))

/** A code system that is a rule, or one of Node's own tables; undefined where the url is none of them. */
export function grammarOf(url: string): CodeSystem | undefined {
  return byUrl.get(url)
}

/** Their urls, for a statement of what is held. */
export const grammarUrls: readonly string[] = [...byUrl.keys()]
