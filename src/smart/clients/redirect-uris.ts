/** Addresses that an app may be sent back to: what may be registered, and what a request may ask for. */
import { isPlain, parseUrl } from '#web'

/**
 * A loopback address as RFC 8252 §7.3 writes it: the literal, lower case, without user info; the port is the app's to
 * choose each time. `localhost` counts too, as RFC 9700 §2.1 has it, although RFC 8252 §8.3 advises apps against it. Other
 * spellings of the same machine (`127.1`, `2130706433`, `[0:0:0:0:0:0:0:1]`) do not.
 */
const loopbackForm = /^http:\/\/(127\.0\.0\.1|\[::1\]|localhost)(?::([1-9]\d{0,4}))?([/?][\x21-\x7e]*)?$/
const highestPort = 65_535

/** Scheme in lower case, as long as a word (`c:/` is a disk), and a path or an authority behind it. RFC 8252 §7.1 */
const privateForm = /^([a-z][a-z0-9+.-]{2,62}):\/[\x21-\x7e]+$/

/**
 * Schemes that mean something to browsers or systems already: code, files, messages, other programs. None of them is
 * anybody's private one, whoever registers it.
 *
 * @see https://www.iana.org/assignments/uri-schemes and https://www.rfc-editor.org/rfc/rfc8252#section-8.4
 */
const knownSchemes: ReadonlySet<string> = new Set(
  `about acct adiumxtra afp aim android-app app apt applescript attachment aw bitcoin blob bolo callto cid coap coaps content
cvs data did dict dns dntp doi ed2k ethereum exe facetime facetime-audio feed fido file filesystem finger fish ftp ftps geo
git github go gopher hcp help http https hxxp hxxps iax icap imap imaps info intent ipfs ipns ipp ipps irc irc6 ircs iris isbn
itms itms-apps itms-services jabber jar javascript jdbc jms keyparc lastfm ldap ldaps livescript local magnet mailserver
mailto maps market message mhtml microsoft-edge mid mk mms mmsh mmst mocha modem mqtt mqtts ms-its msnim mtqp mumble mupdate
mvn news nfs nih nntp notes oid opaquelocktoken openpgp4fpr packageid pack palm paparazzi payto pkcs11 platform pop
pres prospero proxy psyc query radius rdp redis rediss rel reload res resource rlogin rmi rsync rtmfp rtmp rtsp rtsps
rtspu s3 search search-ms secondlife sftp sgn shell shlink sieve sip sips skype smb sms smsto smtp snmp soap spotify ssh steam
stun stuns submit svn tag teamspeak teapot tel telnet tftp thismessage tip tn3270 tool turn turns tv udp unreal urn vbs vbscript
vemmi ventrilo view-source vnc wais wasm webcal webcals widget windows-search wpid ws wss wtai wyciwyg xcon xfire xmlrpc xmpp
xri ymsgr z39.50 z39.50r z39.50s`.split(/\s+/),
)
const knownFamilies =
  /^(chrome|edge|moz|ms|web\+|x-apple|x-man|safari|opera|brave|vivaldi|firefox|view|com\.apple\.|vnd\.)/

/** The address without the port, for those whose port does not count; undefined for all others. */
function withoutPort(text: string): string | undefined {
  const [, host, port, rest = ''] = loopbackForm.exec(text) ?? []
  if (host === undefined || Number(port ?? 80) > highestPort || /[#\\]/.test(rest)) return undefined
  return `http://${host}${rest}`
}

/** Whether the scheme belongs to an app on the person's own device. */
export function isPrivateScheme(text: string): boolean {
  const scheme = privateForm.exec(text)?.[1]
  const url = scheme === undefined ? undefined : parseUrl(text)
  if (scheme === undefined || url === undefined || !isPlain(url, text)) return false
  return !knownSchemes.has(scheme) && !knownFamilies.test(scheme)
}

/** Whether this leads to the machine that the person sits at. */
export function isLoopbackUri(text: string): boolean {
  return withoutPort(text) !== undefined
}

/**
 * Whether an app may register this address: https, http on the machine itself, or, for apps that keep no secret, a scheme
 * of their own.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8252#section-7
 */
export function isRedirectUri(text: string, { isPublicClient }: { readonly isPublicClient: boolean }): boolean {
  if (isLoopbackUri(text)) return true
  if (isPublicClient && isPrivateScheme(text)) return true
  const url = parseUrl(text)
  return url !== undefined && isPlain(url, text) && url.protocol === 'https:'
}

/**
 * Whether a request may ask for this address: it is one of the registered ones, character for character, but for the port
 * of loopback addresses.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9700#section-2.1
 */
export function isRegistered(asked: string, registered: readonly string[]): boolean {
  if (registered.includes(asked)) return true
  const plain = withoutPort(asked)
  return plain !== undefined && registered.some(uri => withoutPort(uri) === plain)
}
