import type { LogLevel } from '#kernel'

/** Where the sealed bytes rest. `memory` forgets everything at the end of the process and is meant for tests. */
export type StoreChoice = { readonly kind: 'sqlite' } | { readonly kind: 'memory' } | MongoChoice

/** A MongoDB; the address may hold a password, which is in no text. */
export interface MongoChoice {
  readonly kind: 'mongodb'
  readonly uri: string
  /** The name of the database, if not the one in the address. */
  readonly database?: string
}

/** How notifications go by mail. */
export interface MailChoice {
  readonly host: string
  readonly port: number
  /** `tls` from the first byte; `starttls`: nothing is said before the connection is encrypted; `none`, for a server on this machine. */
  readonly security: 'tls' | 'starttls' | 'none'
  readonly user?: string
  readonly password?: string
  /** The address from which letters come. */
  readonly from: string
  /** How much a letter may tell at most: mail lies readable wherever it passes. */
  readonly content: 'empty' | 'id-only' | 'full-resource'
}

/** A provider of identities, at which people may log in. */
export interface ProviderChoice {
  /** Which one it is in the environment, and in the address to which it sends people back. */
  readonly n: number
  readonly kind: 'openid' | 'github'
  /** Without a slash at the end where the provider says it so; for `github` the origin of its pages. */
  readonly issuer: string
  readonly clientId: string
  /** How this server shows the provider who it is: by a secret, or by a private key, as PEM or JWK. */
  readonly proof: { readonly secret: string } | { readonly key: string }
  /** What people call it. */
  readonly label: string
}

/** Everything that can be configured, with its defaults filled in. Paths are absolute. */
export interface Config {
  readonly host: string
  /** 0 lets the system choose a free port. */
  readonly port: number
  /** Origin of every link this server hands out, without a slash at the end, e.g. `https://health.example.org`. */
  readonly baseUrl: string
  readonly dataDirectory: string
  readonly store: StoreChoice
  /** Where the wrapped keys rest: an SQLite file in `keysDirectory`, or another database than the store. */
  readonly keystore: StoreChoice
  readonly keysDirectory: string
  /** True when whoever copies the folder of the data copies the keystore with it. */
  readonly keysBesideData: boolean
  readonly passphrase: string | undefined
  /** The passphrase that `kinhold rotate root` puts in place of the one that opens the house now. */
  readonly newPassphrase: string | undefined
  /** The code on paper, when its house has lost its root. */
  readonly recoveryCode: string | undefined
  /** What is kept free in the folders of data and keys, so that access can be ended and patients erased on a full disk. */
  readonly reserveBytes: number
  readonly logLevel: LogLevel
  /** Processes that serve the house together; 1 is this one alone. */
  readonly workers: number
  /**
   * What the indexes by which many patients are searched as one may take in memory, in all processes together; bytes. Beyond it such
   * questions are answered slice by slice.
   */
  readonly populationBytes: number
  /** IANA zone of times that come without an offset from senders of whom nothing is known, e.g. `Europe/Berlin`. */
  readonly zone: string
  /** The folder of mapping tables of one's own, absolute. */
  readonly mappings: string | undefined
  /** Text of the file that says how senders of HL7 v2 messages write; undefined when there is none. */
  readonly senders: string | undefined
  /** Addresses and CIDRs of proxies whose word is taken for whom they speak, e.g. `10.0.0.0/8`. */
  readonly trustedProxies: readonly string[]
  /**
   * Addresses and CIDRs of inner networks to which notifications of Subscriptions may go, also by http; beside them they go to public
   * https alone, e.g. `127.0.0.1`.
   */
  readonly notifyNetworks: readonly string[]
  /** Where people may log in beside here. */
  readonly providers: readonly ProviderChoice[]
  /** Addresses and CIDRs of inner networks in which providers may be, also by http; all others are on the open network, by https. */
  readonly providerNetworks: readonly string[]
  /** Which mail server takes notifications of Subscriptions; without one none go by mail. */
  readonly mail?: MailChoice
  /** How much of the data folder's disk files may take up while they are imported, of everybody and of one token; bytes. */
  readonly spool: { readonly maxSpooled: number; readonly maxSpooledPerGrant: number }
  /** The most bytes that a Binary may hold. */
  readonly binaryBytes: number
  /** After how long without a page a person must log in again; ms, at most the twelve hours that a session lives. */
  readonly sessionIdleMs: number
  /** How many patients an account may keep in its own right, unless something else was said of it; infinitely many where it is `off`. */
  readonly mostPatients: number
  /** How long an account waits to be deleted, and can be kept; ms. */
  readonly deletionWaitMs: number
  /** TLS by the server itself: of an authority of its own, or with files of others. Without it another layer encrypts, or nobody. */
  readonly tls?: { readonly kind: 'own' } | { readonly kind: 'files'; readonly cert: string; readonly key: string }
  /** Who may see figures of the server at work; without it nobody may, and no request is counted. */
  readonly metrics?: { readonly token?: string; readonly loopback: boolean }
  /** How often somebody may ask, where that is not the default; infinitely often where it is `off`. */
  readonly limits: Readonly<Partial<Record<LimitName, { readonly points: number; readonly seconds: number }>>>
}

/** What is limited: requests of a network, of a token, of who has none, and asking for what is not there or not theirs. */
export type LimitName = 'network' | 'token' | 'strangers' | 'misses'
