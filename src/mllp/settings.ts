import { isIP } from 'node:net'
import { Problem } from '#kernel'
import { isNetwork } from '#web'

/** One port at which messages come in. */
export interface ListenerSettings {
  /** 0: any free one. */
  readonly port: number
  readonly host: string
  /** A file with the access token with which its messages are handed on; read again for each message. */
  readonly token: string
  /** Addresses and CIDRs from which one may connect; everybody where none are named. */
  readonly networks: readonly string[]
  readonly tls?: TlsSettings
}

/** The certificate of a port, and whose certificates it asks for. */
export interface TlsSettings {
  /** PEM files; one may hold both. */
  readonly certificate: string
  readonly key: string
  /** A PEM file with the authority of clients' certificates: then only who has one may connect. */
  readonly clients?: string
  /** The common names of those who may; all whom the authority knows where none are named. */
  readonly names?: readonly string[]
}

/**
 * Reads the file of settings.
 *
 * @param text  JSON: a list of listeners
 * @throws Problem `invalid` · `mllp.settings-malformed` with the place; `mllp.listener-open` where a port of the open network would
 *   take messages of anybody
 */
export function parseListeners(text: string): readonly ListenerSettings[] {
  const list = parsed(text)
  if (!Array.isArray(list) || list.length === 0) throw malformed('', 'a list of listeners')
  return list.map((one, at) => checked(listenerOf(new Reader(one, `[${at}]`)), `[${at}]`))
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw malformed('', 'JSON')
  }
}

function listenerOf(reader: Reader): ListenerSettings {
  const tls = reader.inner('tls')
  const listener = {
    port: reader.port('port'),
    host: reader.text('host', '127.0.0.1'),
    token: reader.text('token'),
    networks: reader.networks('networks'),
    ...(tls === undefined ? {} : { tls: tlsOf(tls) }),
  }
  reader.done()
  return listener
}

function tlsOf(reader: Reader): TlsSettings {
  const certificate = reader.text('certificate')
  const [clients, names] = [reader.optional('clients'), reader.texts('names')]
  const tls = {
    certificate,
    key: reader.text('key', certificate),
    ...(clients === undefined ? {} : { clients }),
    ...(names.length === 0 ? {} : { names }),
  }
  reader.done()
  if (names.length > 0 && clients === undefined)
    throw malformed(`${reader.place}.clients`, 'a file: names are those of its certificates')
  return tls
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

/** Whoever reaches the port writes into records, and MLLP has no password: somebody must be asked who they are. */
function checked(listener: ListenerSettings, place: string): ListenerSettings {
  const { host, networks, tls } = listener
  if (isLoopback(host) || networks.length > 0 || tls?.clients !== undefined) return listener
  const text = `${place}: a listener that others reach needs "networks" or "tls.clients", which say who may send.`
  throw new Problem('invalid', 'mllp.listener-open', text)
}

function malformed(place: string, what: string): Problem {
  const at = place === '' ? 'The settings' : `"${place}" of the settings`
  return new Problem('invalid', 'mllp.settings-malformed', `${at} must be ${what}.`)
}

/** Reads the members of an object, and finds what nobody asked for. */
class Reader {
  readonly place: string
  readonly #members: Map<string, unknown>

  constructor(value: unknown, place: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(place, 'an object')
    this.place = place
    this.#members = new Map(Object.entries(value))
  }

  #take(name: string): unknown {
    const value = this.#members.get(name)
    this.#members.delete(name)
    return value
  }

  optional(name: string): string | undefined {
    const value = this.#take(name)
    if (value === undefined) return undefined
    if (typeof value !== 'string' || value === '') throw malformed(`${this.place}.${name}`, 'a text')
    return value
  }

  text(name: string, otherwise?: string): string {
    const value = this.optional(name) ?? otherwise
    if (value === undefined) throw malformed(`${this.place}.${name}`, 'a text')
    return value
  }

  texts(name: string): readonly string[] {
    const value = this.#take(name) ?? []
    if (!Array.isArray(value) || !value.every(one => typeof one === 'string' && one !== ''))
      throw malformed(`${this.place}.${name}`, 'a list of texts')
    return value as string[]
  }

  networks(name: string): readonly string[] {
    const texts = this.texts(name)
    if (!texts.every(isNetwork))
      throw malformed(`${this.place}.${name}`, 'a list of addresses and CIDRs, such as "10.20.0.0/16"')
    return texts
  }

  port(name: string): number {
    const value = this.#take(name)
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > 65_535)
      throw malformed(`${this.place}.${name}`, 'a port number from 0 to 65535')
    return value
  }

  inner(name: string): Reader | undefined {
    const value = this.#take(name)
    return value === undefined ? undefined : new Reader(value, `${this.place}.${name}`)
  }

  /** A misspelt name would leave a door open. */
  done(): void {
    const [unknown] = this.#members.keys()
    if (unknown !== undefined) throw malformed(`${this.place}.${unknown}`, 'absent: nothing has that name')
  }
}
