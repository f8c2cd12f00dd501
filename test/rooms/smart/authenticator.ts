/** A security key of software, which can also lie: ES256, no attestation, CBOR written by hand. https://www.w3.org/TR/webauthn-3/ */
import { createHash, createSign, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'

const sha256 = (data: Uint8Array | string) => createHash('sha256').update(data).digest()

function head(major: number, value: number): Buffer {
  if (value < 24) return Buffer.from([(major << 5) | value])
  if (value < 256) return Buffer.from([(major << 5) | 24, value])
  return Buffer.from([(major << 5) | 25, value >> 8, value & 255])
}

const integer = (value: number) => (value < 0 ? head(1, -1 - value) : head(0, value))
const bytes = (value: Uint8Array) => Buffer.concat([head(2, value.length), value])
const text = (value: string) => Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)])
const map = (...entries: readonly Buffer[]) => Buffer.concat([head(5, entries.length / 2), ...entries])

/** What an answer is about, as a lying browser or device might have it. */
export interface Lies {
  readonly challenge?: string
  readonly origin?: string
  readonly host?: string
  readonly type?: string
  readonly crossOrigin?: boolean
  /** Flags of the authenticator data; user present (1) and verified (4) unless told. */
  readonly flags?: number
  readonly counter?: number
  readonly userHandle?: string
  readonly credential?: string
  readonly format?: string
  readonly algorithm?: number
}

/** What a page asks of a browser. */
export interface Asked {
  readonly options: {
    readonly challenge: string
    readonly rpId?: string
    readonly rp?: { readonly id: string }
    readonly user?: { readonly id: string; readonly name: string }
    readonly excludeCredentials?: readonly { readonly id: string }[]
    readonly userVerification?: string
    readonly attestation?: string
  }
  readonly setup: string
}

/** What a page with such a form asks. */
export function askedBy(page: string): Asked {
  const json = /data-options="([^"]*)"/.exec(page)?.[1]?.replaceAll('&quot;', '"') ?? '{}'
  const setup = /<input type="hidden" name="setup" value="([^"]*)"/.exec(page)?.[1] ?? ''
  return { options: JSON.parse(json), setup }
}

export class Authenticator {
  readonly id = randomBytes(32).toString('base64url')
  readonly #origin: string
  readonly #key: { readonly publicKey: KeyObject; readonly privateKey: KeyObject }
  userHandle = ''
  counter = 0

  constructor(origin: string) {
    this.#origin = origin
    this.#key = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  }

  #clientData(type: string, { options }: Asked, lies: Lies): Buffer {
    const { challenge = options.challenge, origin = this.#origin, crossOrigin = false } = lies
    return Buffer.from(JSON.stringify({ type: lies.type ?? type, challenge, origin, crossOrigin }))
  }

  #authenticatorData(host: string, lies: Lies, attested: Buffer = Buffer.alloc(0)): Buffer {
    this.counter += 1
    const count = Buffer.alloc(4)
    count.writeUInt32BE(lies.counter ?? this.counter)
    const flags = (lies.flags ?? 5) | (attested.length > 0 ? 0x40 : 0)
    return Buffer.concat([sha256(lies.host ?? host), Buffer.from([flags]), count, attested])
  }

  /** Answers to `navigator.credentials.create`, as our script sends them. */
  make(asked: Asked, lies: Lies = {}): Record<string, string> {
    this.userHandle = asked.options.user?.id ?? ''
    const { x = '', y = '' } = this.#key.publicKey.export({ format: 'jwk' })
    const coordinates = [x, y].map(each => bytes(Buffer.from(each, 'base64url')))
    const [xBytes, yBytes] = coordinates as [Buffer, Buffer]
    const kty = [integer(1), integer(2), integer(3), integer(lies.algorithm ?? -7)]
    const key = map(...kty, integer(-1), integer(1), integer(-2), xBytes, integer(-3), yBytes)
    const id = Buffer.from(this.id, 'base64url')
    const attested = Buffer.concat([Buffer.alloc(16), Buffer.from([id.length >> 8, id.length & 255]), id, key])
    const data = this.#authenticatorData(asked.options.rp?.id ?? '', lies, attested)
    const { format = 'none' } = lies
    const object = map(text('fmt'), text(format), text('attStmt'), map(), text('authData'), bytes(data))
    const clientDataJSON = this.#clientData('webauthn.create', asked, lies).toString('base64url')
    return { id: lies.credential ?? this.id, clientDataJSON, attestationObject: object.toString('base64url') }
  }

  /** Answers to `navigator.credentials.get`. */
  sign(asked: Asked, lies: Lies = {}): Record<string, string> {
    const data = this.#authenticatorData(asked.options.rpId ?? '', lies)
    const clientData = this.#clientData('webauthn.get', asked, lies)
    const signed = Buffer.concat([data, sha256(clientData)])
    const signature = createSign('sha256').update(signed).sign(this.#key.privateKey)
    return {
      id: lies.credential ?? this.id,
      clientDataJSON: clientData.toString('base64url'),
      authenticatorData: data.toString('base64url'),
      signature: signature.toString('base64url'),
      userHandle: lies.userHandle ?? this.userHandle,
    }
  }
}
