import type { AddressInfo } from 'node:net'
import { SMTPServer } from 'smtp-server'

/** As a person sees it: headers unfolded, quoted-printable undone. https://www.rfc-editor.org/rfc/rfc2045#section-6.7 */
const read = (bytes: Buffer) =>
  String(bytes)
    .replaceAll(/=\r\n/g, '')
    .replaceAll('=3D', '=')
    .replaceAll(/:\r\n +/g, ': ')

/** What came to a mail server. */
interface Letter {
  readonly from: string
  readonly to: readonly string[]
  readonly text: string
}

/** A real mail server on this machine. */
export interface MailServer {
  readonly port: number
  readonly letters: Letter[]
  /** The code with which it answers a letter from now on; 250 takes it. */
  code: number
  close(): Promise<void>
}

export async function openMailServer(): Promise<MailServer> {
  const letters: Letter[] = []
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    onData: (stream, session, done) => {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope
        const from = mailFrom === false ? '' : mailFrom.address
        letters.push({ from, to: rcptTo.map(({ address }) => address), text: read(Buffer.concat(chunks)) })
        done(mailServer.code === 250 ? null : Object.assign(new Error('refused'), { responseCode: mailServer.code }))
      })
    },
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const mailServer: MailServer = {
    port: (server.server.address() as AddressInfo).port,
    letters,
    code: 250,
    close: () => new Promise(resolve => server.close(() => resolve())),
  }
  return mailServer
}
