import { createPrivateKey, type KeyObject } from 'node:crypto'
import { resolve } from 'node:path'
import type { ProviderChoice } from './shape.ts'
import {
  malformed,
  type Name,
  type ProviderNumber,
  type ProviderPart,
  providerName,
  providerNumbers,
  providerParts,
  readSecret,
} from './variables.ts'

type Read = (name: Name) => string | undefined
type Numbered = ProviderChoice & { readonly n: ProviderNumber }

/** What is said of one provider. */
interface Said {
  readonly n: ProviderNumber
  get(part: ProviderPart): string | undefined
  /** The value, which must be there and be so. */
  need(part: ProviderPart, isRight: (text: string) => boolean, expected: string): string
}

const github = 'https://github.com'
const longestLabel = 60
/** RFC 6749, appendix A.1 and A.2: what an identifier and a secret of a client are made of. */
const visible = /^[\x20-\x7e]{1,2000}$/

/**
 * Whose identities people may log in by. Everything is checked here but whether the provider is there: it may be away while this server
 * starts.
 *
 * @throws Problem `invalid` · `config.value-malformed` | `config.secret-given-twice` | `config.secret-unreadable`
 */
export function parseProviders(
  read: Read,
  { cwd, networks }: { readonly cwd: string; readonly networks: readonly string[] },
): readonly ProviderChoice[] {
  const providers: Numbered[] = []
  for (const n of providerNumbers) {
    if (providerParts.every(part => read(providerName(n, part)) === undefined)) continue
    const provider = parseProvider(saidOf(n, read), { cwd, mayBeInner: networks.length > 0 })
    // Who is who there would be said by two, and one of them is a mistake.
    const twin = providers.find(other => other.kind === provider.kind && isSame(other.issuer, provider.issuer))
    if (twin !== undefined)
      throw malformed(providerName(n, 'ISSUER'), `another one than that of ${providerName(twin.n, 'ISSUER')}`)
    providers.push(Object.freeze(provider))
  }
  return Object.freeze(providers)
}

/** Whether a slash stands at its end changes nothing about who is meant. */
function isSame(issuer: string, other: string): boolean {
  const [bare, otherBare] = [issuer, other].map(each => each.replace(/\/+$/, ''))
  return bare === otherBare
}

function saidOf(n: ProviderNumber, read: Read): Said {
  const get = (part: ProviderPart) => read(providerName(n, part))
  return {
    n,
    get,
    need(part, isRight, expected) {
      const text = get(part)
      if (text === undefined || !isRight(text)) throw malformed(providerName(n, part), expected)
      return text
    },
  }
}

function parseProvider(said: Said, place: { readonly cwd: string; readonly mayBeInner: boolean }): Numbered {
  const kind = parseKind(said)
  const issuer = kind === 'github' ? parseGithub(said, place) : parseIssuer(said, place)
  return {
    n: said.n,
    kind,
    issuer,
    clientId: said.need(
      'CLIENT_ID',
      text => visible.test(text),
      'the identifier that the provider gave to this server',
    ),
    proof: Object.freeze(parseProof(said, kind, place.cwd)),
    label: parseLabel(said, kind === 'github' && issuer === github ? 'GitHub' : new URL(issuer).host),
  }
}

function parseKind({ n, get }: Said): ProviderChoice['kind'] {
  const kind = get('KIND') ?? 'openid'
  if (kind === 'openid' || kind === 'github') return kind
  throw malformed(providerName(n, 'KIND'), 'openid or github')
}

/** Whether an address may be that of a provider: http only where networks were named in which that may be. */
function isAddress(text: string, mayBeInner: boolean): boolean {
  const url = URL.parse(text)
  if (url === null || !(url.protocol === 'https:' || (url.protocol === 'http:' && mayBeInner))) return false
  return url.username === '' && url.password === '' && !/[?#]/.test(text)
}

/**
 * As the provider says it, but for what means the same in any address. The address of its configuration is none: what stands there
 * would be taken at its word about whose it is.
 *
 * @see https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfigurationValidation
 */
function parseIssuer({ need }: Said, { mayBeInner }: { readonly mayBeInner: boolean }): string {
  const expected =
    'the https address of the provider, as its own configuration says it, without query and without /.well-known/; http is for those in KINHOLD_OIDC_NETWORKS'
  const isIssuer = (text: string) => isAddress(text, mayBeInner) && !new URL(text).pathname.includes('/.well-known/')
  const { href, origin, pathname } = new URL(need('ISSUER', isIssuer, expected))
  return pathname === '/' ? origin : href
}

function parseGithub({ n, get }: Said, { mayBeInner }: { readonly mayBeInner: boolean }): string {
  const text = get('ISSUER') ?? github
  const url = URL.parse(text)
  if (url === null || !isAddress(text, mayBeInner) || url.pathname !== '/')
    throw malformed(providerName(n, 'ISSUER'), `the origin of a GitHub of one's own, or absent for ${github}`)
  return url.origin
}

function parseProof({ n, get }: Said, kind: ProviderChoice['kind'], cwd: string): ProviderChoice['proof'] {
  const [secret, file] = [get('CLIENT_SECRET'), get('CLIENT_KEY')]
  const [secretName, keyName] = [providerName(n, 'CLIENT_SECRET'), providerName(n, 'CLIENT_KEY')]
  if (file !== undefined && kind === 'github') throw malformed(keyName, `absent: GitHub takes ${secretName}`)
  if (file !== undefined && secret !== undefined)
    throw malformed(keyName, `absent where ${secretName} is set, or that one`)
  if (file !== undefined) {
    const key = readSecret(keyName, resolve(cwd, file))
    if (!isSigningKey(key))
      throw malformed(
        keyName,
        'a file with a private key, as PEM (PKCS #8) or JWK: RSA from 2048 bits on, P-256, P-384, P-521 or Ed25519',
      )
    return { key }
  }
  if (secret === undefined || !visible.test(secret))
    throw malformed(
      secretName,
      kind === 'github' ? 'the secret that GitHub gave' : `the secret that the provider gave, or ${keyName} set`,
    )
  return { secret }
}

const curves: ReadonlySet<string | undefined> = new Set(['prime256v1', 'secp384r1', 'secp521r1'])

/** What providers take signatures of: https://www.rfc-editor.org/rfc/rfc7518#section-3.1 */
function isSigningKey(text: string): boolean {
  const key = readKey(text)
  const details = key?.asymmetricKeyDetails
  if (key?.asymmetricKeyType === 'rsa') return (details?.modulusLength ?? 0) >= 2048
  if (key?.asymmetricKeyType === 'ec') return curves.has(details?.namedCurve)
  return key?.asymmetricKeyType === 'ed25519'
}

function readKey(text: string): KeyObject | undefined {
  try {
    return text.trimStart().startsWith('{')
      ? createPrivateKey({ key: JSON.parse(text), format: 'jwk' })
      : createPrivateKey(text)
  } catch {
    return undefined
  }
}

/** It stands on a button: nothing in it is invisible or turns the writing around. */
function parseLabel({ n, get }: Said, fallback: string): string {
  const label = (get('LABEL') ?? fallback).normalize('NFC').trim()
  const length = [...label].length
  if (length < 1 || length > longestLabel || /\p{C}/u.test(label))
    throw malformed(providerName(n, 'LABEL'), `a name of 1 to ${longestLabel} visible characters`)
  return label
}
